// Package server builds a node: it puts the packages of the floors below together in order, gets the node into a
// cluster, runs it, drains it, and closes it in reverse.
//
// It owns the node's identity on disk and the ports. It promises that Open gives a node that serves or an error with
// nothing left running, and that Close returns after every goroutine has ended. It holds no logic of its own beyond
// order: what a node does stands below.
package server
