// Command bench holds imgbuild to its promises of speed. `make bench` builds
// bin/imgbuild and runs it; a developer calls nothing here from other code.
//
// It promises:
//
//   - Ratios, not seconds: each figure stands beside a peer that does the least
//     that could be done (the bare HCL parser, ninja's null build, a Go hello,
//     SHA-256, net/http with the same bytes) or the same job elsewhere (terraform), so that a row means the
//     same on any machine.
//   - CPU time (user and system, of the process and the children it waited
//     for), because wall time on a shared machine is not evidence. Ours and the
//     peer's run in turns, and the ratio is the median of the ratios of the
//     rounds: a slow minute hits both. Short commands are repeated within a
//     round until they add up to something that can be measured.
//   - Real work: the pictures of each project are drawn by `imgbuild apply`, and
//     every measured plan must answer with exit code 0 for "no changes".
//   - Pictures against sharp, Hugo and cwebp, on photographs that are fetched and
//     not committed (scripts/peers); where they can't be had the rows say so.
//   - A row that was not run says so and why. A must that is missed, or a
//     command that failed, ends the bench with exit code 1; only a row that
//     tells why it is known to miss does not.
//
// Peak memory is what the kernel counted for the process. Linux starts that
// count at the peak of the process which started it, so the bench writes its
// projects as a stream and leaves heavy work to children: its own few megabytes
// are the least that it can report.
//
// It refuses to judge by the clock, with one exception: the time that a
// package spends in init comes from the Go runtime, as wall time. There the
// least of all rounds counts.
package main
