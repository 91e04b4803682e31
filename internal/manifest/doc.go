// Package manifest writes what a site must know of the pictures of a project:
// one file of data for its generator, in one model, and markup for a page.
//
// # What it promises
//
// The bytes depend on the lock and the specs alone, not on the machine, the time
// or what is on disk: sorted, without absolute paths, so that they can be
// committed and compared. Sizes are reckoned from the recipes that the lock has;
// only where these do not tell, somebody is asked who can read the file.
//
// Within a format_version fields are only added. Schema is a JSON Schema of what
// kinds json, hugo, eleventy and jekyll write.
//
// # The name of an image
//
// Templates name an image often, so it has a short name, its key: "hero" for
// image.hero, "post/solstice" for image.post["solstice"], "icons.home" for
// module.icons.image.home. Names of images and modules have no dot, slash or
// bracket, so that no two images have one key; the image of a module that has
// for_each has its whole address for one.
//
// # What is not there
//
// An image that is not made yet, or was refused, stands there with a status and
// without a file: whether a site fails then or shows something else is the site's
// choice. A rendition that is not made yet is left out.
//
// # Whose file it is
//
// The lock does not record a manifest, since the lockfile holds what was paid for
// and would be in conflict each time. A file says itself that imgbuild wrote it
// (see Ours), and no other is ever written over.
package manifest
