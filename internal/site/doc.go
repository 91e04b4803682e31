// Package site reads a built site and says of each picture of a project that it
// shows whether something still tells how the picture was made: the page, XMP or
// Content Credentials (C2PA) in the file, or nothing. Generators of sites drop
// metadata from whatever they convert, so that nobody who only looks at the
// outputs can know.
//
// # Which pictures are the project's
//
// In this order: a file with the bytes of an output; an element that says
// data-imgbuild="image.hero"; a file whose XMP names imgbuild as its tool; a file
// whose name is that of an output, followed by nothing but hashes, sizes and the
// words that generators put there; an element with the alt text of one image
// only. Where outputs of several images have the same bytes, data-imgbuild tells
// which it is, or else the path. The last two are guesses, good ones, and told as what they are: an
// element, or one around it, that says data-ai-generated="false" is not guessed
// at. Pixels are not compared.
//
// # What counts as a label
//
// In a page: data-ai-generated on the element or around it, unless it says no;
// JSON-LD with a digitalSourceType of what a model or a program made, that names
// the file or another one of the image, on the host of the site or of the picture;
// words of a caption, alt or title (see says). In a file: such a digital source
// type in XMP, and a C2PA manifest, which is not validated.
//
// # What is not there
//
// A page that shows a picture of the project, or names one as an icon or a card,
// which the site should have and has not, is broken: Absent and Links tell. The
// site should have what a URL without a host names, or with that which the page
// (canonical, og:url, base) or the sitemap says is its own, if it ends as a picture does:
// what a program of the host makes when it is asked does not.
//
// # What is used
//
// Mentioned looks for the names of images in texts: built pages, or templates and
// what else a site is made of.
//
// # Bounds
//
// It reads through an fs.FS and follows no link to a folder, so that it ends, and
// none that the FS does not follow. Pages are read as a stream of tags, in time
// that grows with their size: a full parser keeps the page in memory, and
// has been quadratic more than once. What is too large, no regular file or can't
// be read is told in Report.Skipped, never passed over.
package site
