// What imgbuild tells of its pictures. Written by imgbuild init; it is yours to change.
import { defineCollection } from "astro:content";
import { file } from "astro/loaders";
import { z } from "astro/zod";

const imgbuild = defineCollection({
  loader: file("DATAFILE"),
  schema: ({ image }) => {
    const place = { src: image().optional(), url: z.string().optional() };
    const size = { width: z.number(), height: z.number(), mime: z.string() };
    return z.object({
      address: z.string(), status: z.enum(["missing", "refused"]).optional(), ...place, width: z.number().optional(), height: z.number().optional(), mime: z.string().optional(),
      alt: z.string(), decorative: z.boolean(), caption: z.string().optional(), credit: z.string().optional(), license: z.string().optional(), tags: z.array(z.string()),
      placeholder: z.object({ color: z.string(), blurhash: z.string(), thumbhash: z.string(), data_url: z.string() }).optional(),
      shown: z.object({ ...place, width: z.number(), height: z.number() }).optional(), sizes: z.string().optional(),
      variants: z.array(z.object({ set: z.enum(["responsive", "icon", "social"]).optional(), name: z.string().optional(), ...place, ...size, whole: z.boolean() })),
      srcset: z.array(z.object({ mime: z.string().optional(), files: z.array(z.object({ ...place, width: z.number() })) })).default([]),
      ai: z.object({ generated: z.boolean(), label: z.boolean(), digital_source_type: z.string().optional() }),
    });
  },
});

export const collections = { imgbuild };
