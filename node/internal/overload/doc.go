// Package overload owns how much a node takes on at once: how many requests, how many bytes of them, and how much memory.
//
// A Gate stands before the methods of a gRPC service and decides before a request's body is read. It promises that no more
// requests are worked on, wait, or are being received than its Limits say, that a request whose deadline has passed costs no
// work, that many large requests do not keep small ones from being received, and that who is refused hears it at once, as
// fault.Exhausted, with the time after which to come again. It never ends work that has begun, and knows nothing of what
// the requests are about but whether they are large and whether they add data.
package overload
