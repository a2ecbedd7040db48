//! Runs a program under ptrace.
//!
//! A shell stops itself, is seized, and becomes the program: so nothing runs in the child between
//! fork and exec, where this would need unsafe code.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::calls::{Asked, Call, Change, asked, looks_at};

/// What is done to the program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plan {
    /// Nothing; its calls are returned.
    Record,
    /// Its n-th call, counted from 1, is not executed and gives this error.
    Refuse(usize, Errno),
    /// The n-th call and all after it, except those that give room back.
    RefuseFrom(usize, Errno),
    /// It is killed before its n-th call.
    Kill(usize),
    /// Of the calls that look at files instead, the n-th is not executed and gives this error.
    RefuseLook(usize, Errno),
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exit(i32),
    /// By a signal.
    Killed(Signal),
}

/// What was seen of a program.
#[derive(Debug)]
pub struct Traced {
    /// Every call that changed something below the folder, in order.
    pub calls: Vec<Call>,
    /// Whether the call of the plan was reached.
    pub reached: Option<(&'static str, PathBuf)>,
    pub ended: Ended,
    pub stdout: String,
    pub stderr: String,
}

impl Traced {
    /// Whether it said that it was done.
    pub fn success(&self) -> bool {
        self.ended == Ended::Exit(0)
    }
}

/// Runs a program with the arguments and the environment of `command`, watching the folder `root`.
///
/// # Errors
/// When programs cannot be traced here.
pub fn trace(command: &Command, root: &Path, plan: Plan) -> Result<Traced, Errno> {
    trace_on(command, root, plan, false)
}

/// The same on a file system that can do all, or one that is `plain`: it cannot exchange names, refuse a
/// name that is taken, or give a file a second one.
///
/// # Errors
/// As [`trace`].
pub fn trace_on(command: &Command, root: &Path, plan: Plan, plain: bool) -> Result<Traced, Errno> {
    let root = fs_err::canonicalize(root).unwrap();
    let mut outputs = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "kill -STOP $$; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(outputs[0].try_clone().unwrap())
        .stderr(outputs[1].try_clone().unwrap());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    #[expect(
        clippy::zombie_processes,
        reason = "it is waited for by its number, as the threads that it starts are"
    )]
    let child = shell.spawn().unwrap();
    let main = Pid::from_raw(child.id() as i32);
    waitpid(main, Some(WaitPidFlag::WUNTRACED)).unwrap();
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    if let Err(error) = ptrace::seize(main, options) {
        let _ = kill(main, Signal::SIGKILL);
        let _ = waitpid(main, None);
        return Err(error);
    }
    kill(main, Signal::SIGCONT).unwrap();
    let mut watch = Watch {
        main,
        root,
        plan,
        plain,
        count: 0,
        reached: None,
        calls: Vec::new(),
        pending: HashMap::new(),
    };
    let ended = watch.run();
    let [stdout, stderr] = outputs.each_mut().map(|file| {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    Ok(Traced {
        calls: watch.calls,
        reached: watch.reached,
        ended,
        stdout,
        stderr,
    })
}

/// A call between its entry and its end.
enum Pending {
    Watched(Asked, usize),
    Refused(Errno),
}

struct Watch {
    main: Pid,
    root: PathBuf,
    plan: Plan,
    plain: bool,
    count: usize,
    reached: Option<(&'static str, PathBuf)>,
    calls: Vec<Call>,
    pending: HashMap<Pid, Pending>,
}

impl Watch {
    fn run(&mut self) -> Ended {
        // Only what this thread traces: tests trace in several.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let mut ended = None;
        loop {
            match waitpid(None, Some(flags)) {
                Ok(WaitStatus::PtraceSyscall(tid)) => {
                    self.stopped(tid);
                    resume(tid, None);
                }
                Ok(WaitStatus::PtraceEvent(tid, ..)) => resume(tid, None),
                Ok(WaitStatus::Stopped(tid, signal)) => resume(tid, Some(signal)),
                Ok(WaitStatus::Exited(pid, code)) if pid == self.main => {
                    ended = Some(Ended::Exit(code));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.main => {
                    ended = Some(Ended::Killed(signal));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => return ended.expect("the program ended"),
                Err(error) => panic!("waiting for the program: {error}"),
            }
        }
    }

    /// A thread stands at a call's entry or end. One that was killed meanwhile answers nothing.
    fn stopped(&mut self, tid: Pid) {
        const ENTRY: u8 = 1;
        const EXIT: u8 = 2;
        let (Ok(info), Ok(mut regs)) = (ptrace::syscall_info(tid), ptrace::getregs(tid)) else {
            return;
        };
        match (info.op, self.pending.remove(&tid)) {
            (ENTRY, _) if matches!(self.plan, Plan::RefuseLook(..)) => {
                if let Some(error) = self.looked(tid, &regs) {
                    regs.orig_rax = u64::MAX;
                    let _ = ptrace::setregs(tid, regs);
                    self.pending.insert(tid, Pending::Refused(error));
                }
            }
            (ENTRY, _) => {
                let Some(asked) = asked(tid, &regs, &self.root) else {
                    return;
                };
                let pending = self.entered(asked);
                if let Pending::Refused(_) = pending {
                    // No such call: the kernel does nothing.
                    regs.orig_rax = u64::MAX;
                    let _ = ptrace::setregs(tid, regs);
                }
                self.pending.insert(tid, pending);
            }
            (EXIT, Some(Pending::Refused(error))) => {
                regs.rax = -(error as i64) as u64;
                let _ = ptrace::setregs(tid, regs);
            }
            (EXIT, Some(Pending::Watched(asked, number))) => {
                self.ended(asked, number, (regs.rax as i64) < 0);
            }
            _ => {}
        }
    }

    /// Counts a call that looks at a file; the error that it is to give.
    fn looked(&mut self, tid: Pid, regs: &libc::user_regs_struct) -> Option<Errno> {
        let Plan::RefuseLook(nth, error) = self.plan else {
            return None;
        };
        let at = looks_at(tid, regs, &self.root)?;
        self.count += 1;
        (self.count == nth).then(|| {
            self.reached = Some(at);
            error
        })
    }

    /// Counts a call and says what becomes of it.
    fn entered(&mut self, asked: Asked) -> Pending {
        if self.plain && asked.flagged {
            return Pending::Refused(Errno::EINVAL);
        }
        if self.plain && matches!(asked.change, Change::Link(..)) {
            return Pending::Refused(Errno::EPERM);
        }
        self.count += 1;
        let gives_back = matches!(asked.change, Change::Unlink(_) | Change::RemoveFolder(_));
        let refused = match self.plan {
            Plan::Record | Plan::RefuseLook(..) => None,
            Plan::Refuse(nth, error) => (self.count == nth).then_some(error),
            Plan::RefuseFrom(nth, error) => (self.count >= nth && !gives_back).then_some(error),
            Plan::Kill(nth) => (self.count == nth).then_some(Errno::EINTR),
        };
        let Some(error) = refused else {
            return Pending::Watched(asked, self.count);
        };
        self.reached
            .get_or_insert((asked.name, asked.change.path().to_owned()));
        if let Plan::Kill(_) = self.plan {
            kill(self.main, Signal::SIGKILL).unwrap();
        }
        Pending::Refused(error)
    }

    /// Takes a call that has ended into the record.
    fn ended(&mut self, asked: Asked, number: usize, failed: bool) {
        let change = match (asked.change, asked.content) {
            (Change::Content(path, _), Some(file)) if !failed => {
                // Through the descriptor, which leads to the file whatever its name is by now.
                Change::Content(path, fs_err::read(file).unwrap())
            }
            (change, _) => change,
        };
        self.calls.push(Call {
            name: asked.name,
            change,
            number,
            failed,
        });
    }
}

fn resume(tid: Pid, signal: Option<Signal>) {
    match ptrace::syscall(tid, signal) {
        // It was killed while it stood.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("going on with {tid}: {error}"),
    }
}

/// The numbers of the calls of a record that are worth a try of their own: of writes that follow one
/// another into one file only the first and the last.
pub fn worth_a_try(calls: &[Call]) -> Vec<usize> {
    let same = |a: Option<&Call>, b: &Call| {
        a.is_some_and(|a| a.is_write() && b.is_write() && a.path() == b.path())
    };
    let inner = |i: usize| {
        let before = i.checked_sub(1).and_then(|i| calls.get(i));
        same(before, &calls[i]) && same(calls.get(i + 1), &calls[i])
    };
    let worth = (0..calls.len()).filter(|&i| !inner(i));
    worth.map(|i| calls[i].number).collect()
}

const _: () = assert!(libc::SYS_openat == 257, "the numbers of x86-64");
