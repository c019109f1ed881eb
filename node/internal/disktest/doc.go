// Package disktest gives tests small disks, and fills them. It is imported by tests only.
package disktest
