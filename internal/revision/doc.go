// Package revision is a commit of git as a folder that can be read.
//
// It promises that nothing of the repository decides what is started: git is
// asked for objects only, which runs no hook, no filter and no other program,
// and does not fetch what a partial clone lacks. Nothing is written. What is no
// plain file in the commit, a link or a submodule, is none here.
//
// It is called by cli, which opens a project in it and asks git what it holds of
// a lock in conflict and which files it ignores, and refuses to know what the
// files mean.
package revision
