package lint

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// The lists of words, in lower case; a phrase has spaces. They are English, and
// fallible: whatever rests on them is advice. What is not in them is no mistake of
// a prompt, so keep them short of words that mean other things as well.
const (
	medium = iota
	photo
	painted
	flat
	light
	composition
	mood
	day
	night
	filler
	imperative
	textWanted
	textThing
	negative
	transparent
	people
	preserve
	muted
	portrait
	landscape
	square
	colourful
	monochrome
	verbs
	lists // how many there are
)

var wordLists = [lists]string{
	medium: `illustration, illustrated, drawing, drawn, sketch, ink, engraving, woodcut, woodblock, linocut, etching, lithograph, render, rendering, rendered, 3d,
cgi, collage, papercut, paper cut, cut paper, clay, claymation, plasticine, anime, manga, comic, cartoon, poster, mosaic, stained glass, embroidery, embroidered, knitted, origami, sculpture,
mural, graffiti, screenprint, screen print, silkscreen, risograph, halftone, blueprint, storyboard, diorama, miniature, hand-drawn, editorial, retro, vintage, art deco, art nouveau, bauhaus,
impressionist, impressionism, surrealist, cubist, expressionist, minimalist, baroque, ukiyo-e, steampunk, cyberpunk, vaporwave, pattern, texture, infographic, map, fresco, tapestry, chalk, chalkboard,
charcoal, pastel, pastels, crayon, marker, pixel art, pixel, sprite, voxel, low poly, isometric, double exposure, cinematic`,
	photo: `photo, photos, photograph, photographs, photographic, photography, photorealistic, photo-realistic, photorealism, hyperrealistic, realistic photo, polaroid, 35mm, 50mm, 85mm, 35 mm,
50 mm, 85 mm, 100 mm, dslr, macro, film still, shot on, analogue film, analog film, daguerreotype, long exposure, snapshot, film grain, tilt-shift, fisheye`,
	painted: `painting, painted, oil on canvas, oil painting, watercolor, watercolour, watercolors, watercolours, gouache, acrylic, tempera, brushstrokes, brush strokes, impasto, pencil drawing, colored pencil, coloured pencil`,
	flat:    `vector, flat design, flat illustration, flat vector, flat colours, flat colors, flat style, icon, icons, logo, wordmark, logotype, line art, line drawing, line icon, glyph, pictogram, silhouette, diagram, flowchart, emblem, badge, mark`,
	light: `light, lights, lit, lighting, lighted, daylight, sunlight, sunlit, moonlight, moonlit, candlelight, candlelit, firelight, lamplight, backlight, backlit, backlighting, sunset, sunrise, dusk, dawn,
golden hour, blue hour, twilight, noon, midday, morning, evening, afternoon, night, midnight, shadow, shadows, shade, shaded, glow, glowing, glows, neon, overcast, sunny, cloudy, sun, moon, stars, starry, dim, dark,
bright, chiaroscuro, rim light, spotlight, studio lighting, softbox, silhouetted, reflection, reflections, rays, illuminated, lantern, lanterns, fire, flame, flames, haze, hazy, foggy, fog, mist, misty, storm, stormy`,
	composition: `wide angle, wide-angle, close-up, closeup, close up, aerial, overhead, top-down, top down, from above, from below, bird's-eye, bird's eye, worm's-eye, eye level, low angle, high angle,
centered, centred, in the center, in the centre, in the middle, in the foreground, foreground, background, horizon, symmetrical, symmetry, rule of thirds, negative space, depth of field, shallow focus, bokeh, framing,
framed, frame, panorama, panoramic, portrait, full body, full-body, half-length, head and shoulders, macro, profile, three-quarter, isometric, viewpoint, perspective, composition, view, view of, seen from, from behind, on the left,
on the right, left side, right side, at the top, at the bottom, leading lines, vanishing point, wide shot, long shot, medium shot, establishing shot, telephoto, fisheye, cropped, crop, orthographic, distance, distant, side view, front view, flat lay, knolling`,
	mood: `serene, calm, quiet, peaceful, tranquil, cozy, cosy, warm, cold, moody, mood, atmosphere, atmospheric, dramatic, epic, melancholic, melancholy, gloomy, somber, sombre, joyful, cheerful, happy, playful, whimsical, mysterious,
eerie, ominous, tense, dreamy, dreamlike, nostalgic, romantic, energetic, dynamic, lively, vibrant, lonely, hopeful, festive, solemn, majestic, elegant, tender, intimate, fierce, futuristic, cheery, bold, friendly, gentle, soft, harsh, bleak, sad,
surreal, magical, inviting, fresh, relaxed, minimal, minimalist, geometric, luxurious, rustic, gritty, wild, desolate, crisp`,
	day:   `noon, midday, at daytime, in daylight, bright daylight, broad daylight, sunny day, high noon, under the sun`,
	night: `night, midnight, at night, nighttime, moonlit, starry, under the stars`,
	filler: `masterpiece, 4k, 8k, 16k, uhd, ultra hd, ultra-hd, best quality, high quality, highest quality, top quality, highly detailed, ultra detailed, ultra-detailed, extremely detailed, hyperdetailed, hyper detailed, insanely detailed, intricate details,
trending on artstation, artstation, deviantart, award winning, award-winning, octane render, hdr, super resolution, photoreal 8k, perfect composition`,
	imperative: `make it look good, make it good, make it nice, make it look nice, make it beautiful, make it look beautiful, make it pretty, make it awesome, make it cool, make it pop, make it look professional, make it amazing, make it better, look good,
look amazing, look nice, look awesome, something nice, something cool, something beautiful, something interesting, as good as possible, as beautiful as possible, be creative, surprise me, whatever you like, whatever looks good, you decide, up to you,
a nice picture, a nice image, a beautiful picture, a beautiful image, a cool picture, a cool image, a good picture, a good image`,
	textWanted: `that says, which says, saying the words, sign saying, with the text, with the words, with the word, with the title, with the headline, with the caption, with the slogan, with the name, with the letters, with text, titled, captioned, that reads,
which reads, text reading, sign reading, banner reading, labelled with, labeled with, lettering saying, with lettering, the words, the text says, the sign says, the headline says`,
	textThing: `text, says, saying, reads, reading, titled, title, headline, caption, captioned, slogan, lettering, letters, word, words, sign, label, labelled, labeled, logo, wordmark, logotype, banner, poster, billboard, written, typography, inscription, name, cover, card, badge, sticker`,
	negative:  `no, without, don't, do not, not, avoid, never, exclude, excluding, except`,
	transparent: `transparent background, transparent ground, on transparent, transparent png, alpha channel, no background, without background, without a background,
isolated on transparency, transparency`,
	people:   `person, people, man, men, woman, women, boy, boys, girl, girls, child, children, kid, kids, baby, couple, family, crowd, face, faces, portrait of, politician, president, minister, celebrity, actor, actress, singer, doctor, nurse, teacher, worker, workers, soldier, protester, protesters, king, queen, farmer, student, students`,
	preserve: `keep, keeps, keeping, preserve, preserves, preserving, unchanged, same, only, just, retain, retains, retaining, leave, leaving, intact, remain, remains, unaltered, untouched, identical, do not change, don't change, without changing, nothing else, everything else, the rest, as it is`,
	muted:    `muted, desaturated, subdued, pale colours, pale colors, soft colours, soft colors, natural colours, natural colors, washed out, washed-out, monochrome, black and white`,
	portrait: `portrait orientation, portrait format, vertical format, vertical orientation, vertical composition, vertical image, vertical picture, tall format, upright format, phone wallpaper`,
	landscape: `landscape orientation, landscape format, horizontal format, horizontal orientation, horizontal composition, horizontal image, horizontal picture, wide format, widescreen, panoramic format, wide banner, ultrawide,
ultra-wide format`,
	square:     `square format, square image, square picture, square composition, square crop, square canvas`,
	colourful:  `colourful, colorful, vivid colours, vivid colors, bright colours, bright colors, vibrant colours, vibrant colors, rainbow-coloured, rainbow-colored`,
	monochrome: `black and white, black-and-white, monochrome, grayscale, greyscale`,
	verbs:      `is, are, was, were, stands, stand, sits, sit, walks, runs, flies, looks, holds, shows, lies, rises, hangs, wears, plays, reads, sails, rolls, falls, covers, covered, surrounded, makes, drifts, leads, climbs, reflects, leans, grows, sleeps, waits, crosses`,
}

// connecting are words that a sentence has, and a list of keywords has not.
var connecting = lazySet("of with in on at by from and the under above behind beside below between through into over near around along a an to for")

// stop are words that say nothing by themselves.
var stop = lazySet(`a an the of with in on at by from and or to for as is are be it its this that these those there here very some any into over under above below near around
his her their my your our one two three i you we they picture image photo create generate make draw show please want would like`)

// functional are words that English texts have, and no other language in the
// same senses.
var functional = lazySet("a the of with and on at from by is are it to this that for its into over under near")

// movements are no artists, though they follow "in the style of".
var movements = lazySet(`art deco nouveau baroque bauhaus rococo gothic renaissance pop cubism impressionism impressionist surrealism minimalism expressionism romanticism realism futurism ukiyo-e
soviet swiss japanese chinese french italian german english american dutch nordic scandinavian mexican islamic persian indian african roman greek egyptian victorian edwardian medieval 
modernist modernism brutalism international memphis polish vintage retro classic old new mid-century century film noir hollywood national geographic style pixel`)

// lazily compiles a pattern, and lazySet makes a set, when it is asked for: each
// start of the program would pay for all of them.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

func lazySet(words string) func() map[string]bool {
	return sync.OnceValue(func() map[string]bool { return set(words) })
}

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

// phrase is an entry of a list: the words behind its first one.
type phrase struct {
	list int
	rest []string
	text string
}

// allPhrases are all entries by their first word; made when they are asked for.
var allPhrases = sync.OnceValue(func() map[string][]phrase {
	out := map[string][]phrase{}
	for list, text := range wordLists {
		for entry := range strings.SplitSeq(text, ",") {
			w := strings.Fields(entry)
			out[w[0]] = append(out[w[0]], phrase{list, w[1:], strings.Join(w, " ")})
		}
	}
	return out
})

// match finds the entries of all lists, each once for a list, in order. What is
// denied ("not photorealistic") counts only as the denial.
func match(words []string) (hits [lists][]string) {
	known := allPhrases()
	for i, w := range words {
		for _, p := range known[w] {
			if len(words)-i-1 < len(p.rest) || !equal(words[i+1:i+1+len(p.rest)], p.rest) {
				continue
			}
			if p.list != negative && p.list != transparent && denied(words[:i]) {
				continue
			}
			if !contains(hits[p.list], p.text) {
				hits[p.list] = append(hits[p.list], p.text)
			}
		}
	}
	return hits
}

// denied reports whether the words before one take it back.
func denied(before []string) bool {
	for k := len(before) - 1; k >= max(0, len(before)-3); k-- {
		switch before[k] {
		case "no", "not", "without", "never", "avoid", "than", "isn't", "don't", "nor":
			return true
		case "instead":
			return k+1 < len(before) && before[k+1] == "of"
		case "and", "with", "but", "in":
			return false
		}
	}
	return false
}

func equal(a, b []string) bool {
	for i := range b {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// wordsOf are the words of a text in lower case: letters, digits, and between
// them ' and -.
func wordsOf(text string) []string {
	text = strings.ToLower(text)
	var out []string
	start := -1
	end := func(i int) {
		if start >= 0 {
			out = append(out, strings.TrimRight(text[start:i], "'’-"))
			start = -1
		}
	}
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if start < 0 {
				start = i
			}
		case (r == '\'' || r == '-' || r == '’') && start >= 0:
		default:
			end(i)
		}
	}
	end(len(text))
	for i, w := range out {
		if strings.Contains(w, "’") {
			out[i] = strings.ReplaceAll(w, "’", "'")
		}
	}
	return out
}

var quotePairs = map[rune]rune{'"': '"', '“': '”', '„': '“', '«': '»'}

// cutQuotes takes what stands in quotes out of a text.
func cutQuotes(text string) (bare string, quotes []string) {
	var b strings.Builder
	open := map[rune]bool{} // those that nothing closes: to look again would be quadratic
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if closing := quotePairs[r]; closing != 0 && !open[r] {
			inner := text[i+n:]
			stop := strings.IndexRune(inner, closing)
			if stop < 0 && r == '„' {
				stop = strings.IndexRune(inner, '”')
			}
			if stop >= 0 {
				_, size := utf8.DecodeRuneInString(inner[stop:])
				quotes = append(quotes, inner[:stop])
				b.WriteString(" ")
				i += n + stop + size
				continue
			}
			open[r] = true
		}
		// 'Open' too, where it can be no apostrophe.
		if r == '\'' && !open[r] && (i == 0 || text[i-1] == ' ') {
			if stop := closingApostrophe(text[i+1:]); stop > 0 {
				quotes = append(quotes, text[i+1:i+1+stop])
				b.WriteString(" ")
				i += stop + 2
				continue
			}
			open[r] = true
		}
		b.WriteString(text[i : i+n])
		i += n
	}
	return b.String(), quotes
}

func closingApostrophe(s string) int {
	for i := range len(s) {
		if s[i] == '\'' && i > 0 && s[i-1] != ' ' && (i+1 == len(s) || strings.IndexByte(" .,;:!?)\n", s[i+1]) >= 0) {
			return i
		}
	}
	return -1
}

// isEnglish reports whether a word that the lists don't find is missing: the text
// is in Latin letters, and long enough texts have some of the small words.
func isEnglish(text string, words []string) bool {
	letters, foreign := 0, 0
	for _, r := range text {
		if unicode.IsLetter(r) {
			letters++
			if r > unicode.MaxASCII {
				foreign++
			}
		}
	}
	if foreign*20 > letters {
		return false
	}
	small := 0
	for _, w := range words {
		if functional()[w] {
			small++
		}
	}
	return len(words) < 5 || small > 0
}

// content are the words that say something.
func content(words []string) (out []string) {
	for _, w := range words {
		if !stop()[w] {
			out = append(out, w)
		}
	}
	return out
}
