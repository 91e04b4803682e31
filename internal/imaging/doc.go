// Package imaging is everything imgbuild does to a picture that exists: tell
// its format, measure it, decode it within limits, fit it into a box, encode
// it, read an edit mask and put an original back outside of one. Providers,
// apply and the checks of a plan call it; they hold pictures as opaque values.
//
// # What it promises
//
// No bytes, however hostile, make it panic, exhaust memory or return half a
// picture: the header is read first and held against Limits, the memory that
// the decoder is going to take is estimated from it, and a file that stops
// early is an error even where the decoders of the standard library would
// shrug. Most PNGs and JPEGs our own decoders read, for speed; they take and
// refuse what the standard library's do, which are asked about all that is rare
// or seems damaged.
//
// Pixels are the same to the bit on every platform of 64 bits and with any number
// of processors: all arithmetic on them is integer (Go may fuse a floating
// multiply and add on one processor and not on another). The bytes of encoded
// files carry no such promise; Encode says which encoder made them, and golden
// tests compare Digest.
//
// # Cards
//
// A Card writes a text on a picture. Glyphs are measured and filled in whole
// numbers, too: x/image/font/sfnt reads outlines at a size in 64ths of a pixel,
// and fill draws them. There is no shaping: a text that would need it is refused,
// and so is one for which the font has no glyph. A font is a file of the user,
// like a picture: what it makes a reader panic of is an error.
//
// # Labels
//
// Relabel writes into the XMP of a PNG, JPEG or WebP where the picture is from
// and whom to name, by rewriting the container: the pixels are not touched, and
// the bytes do not depend on the label before. ReadMarks tells what a file of
// any format says of that, and whether it has a C2PA manifest. Such a manifest
// is signed over the whole file: a label is refused where there is one. It is
// neither validated nor written. An AVIF gets no label: its metadata are an item
// among others, and to add one moves all offsets of the file.
//
// # What it refuses
//
// TIFF, BMP, AVIF, SVG and animated WebP are not read; of an AVIF the size is. A WebP that
// loses nothing is written here, others and AVIF are not: the pixels go to a
// program as PPM, PAM or Y4M. Colour profiles are not applied, and
// no metadata is carried from a decoded picture to an encoded one, except that
// the orientation of a JPEG is applied when it is decoded. It knows no files,
// specs or network, and does not bound how many pictures are worked on at
// once: that is for the caller, to whom Memory tells what one will take.
package imaging
