package main

import "syscall"

// dieWithParent keeps a server that the demo started from outliving it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
