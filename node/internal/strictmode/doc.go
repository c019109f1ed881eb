// Package strictmode owns the limits that a collection's owner declared: what a request may ask for, how many there may be in a
// minute, and how much the collection may hold.
//
// A Keeper looks at a request as a whole before anything of it is done, and refuses it or lets it pass; it changes no request. A
// refusal names the limit, what was asked for, and what to do. It is of class fault.Invalid, as coming again does not help; only
// a rate that is used up is fault.Exhausted, with the time after which to come again.
//
// The rates are those of one node: each has its own count. How much a collection holds is measured, at most every second, and
// what this node itself let pass since is added, so that what other nodes take in within a second may go beyond the limit.
package strictmode
