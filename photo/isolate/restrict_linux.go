package isolate

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// The names in hello.
const (
	byLimits   = "limits"       // memory, processor time, no files written, no core dump
	byNoNew    = "no_new_privs" // no set-user-id program gives anything back
	bySeccomp  = "seccomp"      // system calls outside the list fail
	byLandlock = "landlock"     // no path can be opened, no port reached
)

// cpuSeconds is the processor time of a child's whole life.
const cpuSeconds = 600

// restrict gives up everything that decoding does not need. What the kernel
// does not offer is named in Missing.
func restrict(memory int64) hello {
	var h hello
	step := func(name string, err error) {
		if err != nil {
			h.Missing = append(h.Missing, name+": "+err.Error())
			return
		}
		h.Protections = append(h.Protections, name)
	}
	step(byLimits, setLimits(memory))
	step(byNoNew, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	step(byLandlock, closeFiles())
	step(bySeccomp, filterCalls())
	return h
}

// closeFiles leaves no path and no port within reach. Strict on what the first
// version of Landlock has, the rest as the kernel offers it.
func closeFiles() error {
	if err := landlock.V1.RestrictPaths(); err != nil {
		return fmt.Errorf("the kernel has none")
	}
	return landlock.V6.BestEffort().Restrict()
}

func setLimits(memory int64) error {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return fmt.Errorf("read the size of the process: %w", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
	if err != nil {
		return fmt.Errorf("read the size of the process: %w", err)
	}
	// Neither another process of the same user nor a core dump shows a photo.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	for _, l := range []struct {
		what  int
		limit uint64
	}{
		{unix.RLIMIT_AS, uint64(pages*int64(os.Getpagesize()) + memory)},
		{unix.RLIMIT_CPU, cpuSeconds},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NOFILE, 64}, // what is open, for the ruleset a little more
		{unix.RLIMIT_MEMLOCK, 0},
	} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.limit, Max: l.limit}); err != nil {
			return fmt.Errorf("limit %d: %w", l.what, err)
		}
	}
	return nil
}

// calls are what Go's runtime, the C library's allocator and the decoders need
// once they are loaded. What is not among them fails with EPERM.
var calls = []string{
	"read", "write", "close", "futex", "munmap", "madvise", "mremap", "brk",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
	"epoll_wait", "epoll_pwait", "epoll_ctl", "nanosleep", "clock_nanosleep", "clock_gettime", "gettimeofday",
	"sched_yield", "sched_getaffinity", "getpid", "gettid", "tgkill", "exit", "exit_group",
	"set_robust_list", "rseq", "getrandom", "getrusage", "pread64", "fstat", "lseek",
}

// filterCalls installs the filter for all threads.
func filterCalls() error {
	here, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("no table of system calls for this processor")
	}
	var names []string
	for _, n := range calls {
		if _, ok := here.SyscallNames[n]; ok { // some are not on every processor
			names = append(names, n)
		}
	}
	noExec := seccomp.ArgumentConditions{{Argument: 2, Operation: seccomp.BitsNotSet, Value: unix.PROT_EXEC}}
	return seccomp.LoadFilter(seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionErrno,
			Syscalls: []seccomp.SyscallGroup{
				{Action: seccomp.ActionAllow, Names: names, NamesWithCondtions: []seccomp.NameWithConditions{
					{Name: "mmap", Conditions: noExec},
					{Name: "mprotect", Conditions: noExec},
					// Threads, no processes.
					{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}}},
				}},
				// Its flags are out of the filter's sight; the C library takes clone instead.
				{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: []string{"clone3"}},
			},
		},
	})
}
