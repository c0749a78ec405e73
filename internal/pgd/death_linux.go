package pgd

import "syscall"

// endWithCaller has the kernel stop the server when the caller dies, however.
func endWithCaller(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGINT }
