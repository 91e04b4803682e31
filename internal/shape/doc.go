// Package shape is the figures that a mask is drawn of: as the text that names
// them, and as outlines in the pixels of a picture. Package config writes the
// text, package imaging fills the outlines.
//
// # The text
//
// A Drawing is one line without spaces and colons, in the lockfile and in the
// recipes of files:
//
//	ellipse(50%,50%,20%,30%);path(M0,0L10,0L5,8Z);!rect(0,0,100,45%)~4;~12
//
// It names what is paid for, so it never changes with a release: figures are
// sorted, each is there once, numbers have at most six decimals and no zeros
// at their ends. To write figures in another order or 10.0 for 10 is no change.
//
// # Numbers
//
// Coordinates are pixels of the source, or percent of its width (x, width, cx,
// rx) or height (y, height, cy, ry). What has no direction (radius, feather) is
// percent of the shorter side. Outlines are the same to the bit on every
// platform: they are computed in integers, and in the one place where that
// would be a book of its own, the arcs of a path, with float64 operations of
// which each is rounded by itself, so that no compiler may fuse two.
//
// # What it refuses
//
// It knows no pixels and no files. Text from a lockfile or a saved plan is as
// foreign as any: Parse gives an error for what String would not have written.
package shape
