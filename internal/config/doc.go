// Package config turns text into an evaluated project: the *.img.hcl files of
// the root and the *.imgvars files become plain spec.Image values, provider
// settings and deferred outputs. HCL and cty stop here.
//
// # Promises
//
// Load says everything that is wrong at once, each thing once, with a place, a
// stable code (see codes.go) and a hint; it returns what could be evaluated
// even so. Evaluation is pure: no clock, no environment but what Options
// carries, no file but through Source, and Inputs lists everything that was
// read, so that a cached project can be checked with Fresh.
//
// No input kills the process or takes it hostage. The parser recurses without
// a bound and is quadratic in places, so guard.go scans the bytes first; an
// evaluation is metered (meter.go), because a line of text can ask for 10^12
// elements. Functions are refused what they would make too large, and pay for
// their work beforehand (function_limits.go); where the conversions of cty are
// quadratic, ours are not (convert.go).
//
// # How it is fast
//
// Parsing is nearly all of the cost, so files are parsed beside each other, an
// image whose attributes are literals is decoded at once by a walk of its
// block, and the syntax tree is dropped with its file. Only blocks that need
// evaluation are kept. A Project holds no source text and of each place only
// file, line and byte; At parses that one file again when there is something
// to say.
//
// # Functions
//
// All functions stand in one table (catalogue.go), which binds them to an
// evaluation, bounds them, and describes them for imgbuild functions and the
// reference. Those that Terraform has are held to it by a differential test; what
// is missing on purpose is in a table with the reason.
//
// # How references work
//
// A reference to a local, a variable or an image is replaced in the tree by a
// node that evaluates its target when asked and remembers the result. So there
// is no order to compute, and a cycle is met as a target that is asked for
// while it is being evaluated. Images, presets and providers are values that
// carry an address in a capsule: lists, for and conditionals work, and an edge
// comes from the evaluated value. Results of an image (its sha256 and so on)
// are unknown and marked, so that they can't reach anything that is paid for,
// by whatever way.
//
// # How modules work
//
// The files of a folder are parsed and prepared once, as a tree, however often
// the folder is called. An instance of a module is a scope: the same
// expressions with values of their own. A node looks its target up in the scope
// that is evaluated, which changes where a variable of a module asks its caller
// and where an output is asked for. So two modules may use each other's outputs
// as long as no value needs itself.
//
// # How files are edited
//
// SetAttribute changes the text of a file and nothing of it but one attribute:
// people's comments and layout are theirs. Choice tells whether a file is the
// place for a choice at all.
//
// # How conditions work
//
// Preconditions of images are evaluated by Load, and are done with. All others
// may use results, so they are kept and asked later, with facts from outside:
// Judge for the postconditions of one image, Checks, and Finish for the
// preconditions of outputs. Load evaluates them once without facts, which finds
// what is wrong in any case. A project without them keeps no expressions.
//
// # Sensitive values
//
// They are marked in cty, and the mark goes along with all that is made from
// them. decode lets it into the words of a request only (row.secret), where it
// becomes spec.Wanted.Sensitive; anywhere else it is a finding. While an
// expression is evaluated, evaluator.touched tells whether a marked value has
// taken part: then nothing is said but the kind of an error. The lines where
// such values are written are kept by Project.Show from whoever shows a file. A
// project with them is not cached.
//
// # How tests work
//
// A run of a test loads the project anew, with values for its variables that are
// stronger than all others, or loads the folder of a module as if it were the
// root. Its assertions are evaluated as outputs are, in the scope of what was
// loaded, where references to images also give what is wanted of them. What is
// known of a plan is handed in, by tables that the manual is made from; outputs
// are all that a later run has of an earlier one.
//
// # Refusals
//
// The package must never know the lock, the store or the network. It does not
// check what a model takes: that is spec.Resolve with the model's offer.
//
// Called by cli.
package config
