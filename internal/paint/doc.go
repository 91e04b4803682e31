// Package paint draws pictures from words, offline and for nothing: the maker
// "sketch" and the emulator call it.
//
// It knows 280 words: places (mountains, sea, city, meadow, forest, desert,
// space), hours, seasons, weather, things (lake, boat, moon, birds, aurora …),
// colours by name or as #rrggbb, and manners (low poly, Bauhaus, gradient). What
// no word decides, the hash of the words or the seed does, so that any two
// prompts look different and any two seeds of one prompt are variations of it.
//
// # What it promises
//
// The same order gives the same pixels on every processor with 64 bits: all is
// integer arithmetic, with colours packed three to a word. The composition hardly
// depends on the size. An edit changes nothing where its mask forbids it, to
// the bit, and something where it allows it. One of more than 16 megapixels is
// worked out smaller and enlarged, but for what the mask forbids.
//
// A change of what is drawn is a new version of the model that sketch offers.
//
// # What it refuses
//
// It knows no requests, files, or wire formats. It draws into one array of
// eight bytes a pixel and does not bound how much is drawn at once.
package paint
