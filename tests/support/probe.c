/* What the tests of the launcher run in its place or under it: a program without a language runtime, so that what it
 * finds (masks, dispositions, descriptors) is what it was given. Usage is at each verb below. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* The kernel's own mask: libc leaves 32 and 33 out. */
static void set_mask(int how, uint64_t mask) {
    if (syscall(SYS_rt_sigprocmask, how, &mask, NULL, sizeof mask) != 0) {
        perror("rt_sigprocmask");
        exit(70);
    }
}

static uint64_t bit(int sig) { return (uint64_t)1 << (sig - 1); }

static void exec_rest(char **argv) {
    execvp(argv[0], argv);
    perror(argv[0]);
    exit(errno == ENOENT ? 127 : 126);
}

/* state MASK IGNORED[,IGNORED...] CMD...: runs CMD with this mask (hexadecimal) and these signals ignored; 0: none. */
static void state(char **argv) {
    for (char *name = strtok(argv[1], ","); name; name = strtok(NULL, ","))
        if (atoi(name)) signal(atoi(name), SIG_IGN);
    set_mask(SIG_SETMASK, strtoull(argv[0], NULL, 16));
    exec_rest(argv + 2);
}

/* pending SIGNAL CMD...: runs CMD with SIGNAL blocked and waiting. */
static void pending(char **argv) {
    set_mask(SIG_BLOCK, bit(atoi(argv[0])));
    kill(getpid(), atoi(argv[0]));
    exec_rest(argv + 1);
}

/* alarm MILLISECONDS CMD...: runs CMD with a timer running. */
static void alarmed(char **argv) {
    long ms = atol(argv[0]);
    struct itimerval timer = {{0, 0}, {ms / 1000, ms % 1000 * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    exec_rest(argv + 1);
}

/* environment CMD...: runs CMD with entries that are no assignments, and with the same variable twice. */
static void environment(char **argv) {
    char *entries[] = {"Z=last", "no assignment", "A=first", "TWICE=1", "TWICE=2", "B=\xff\xfe", "=empty", NULL};
    environ = entries;
    execv(argv[0], argv);
    perror(argv[0]);
    exit(126);
}

/* die SIGNAL: dies of it. */
static void die(char **argv) {
    int sig = atoi(argv[0]);
    uint64_t action[4] = {0}; /* SIG_DFL; libc refuses 32 and 33 */
    syscall(SYS_rt_sigaction, sig, action, NULL, sizeof *action);
    set_mask(SIG_UNBLOCK, bit(sig));
    kill(getpid(), sig);
    _exit(71);
}

/* log FILE STOPPER DEFAULT[,DEFAULT...]: writes `ready PID`, then a line `SIGNAL CODE VALUE` for every signal that comes,
 * until it is killed. The DEFAULT ones are left alone; on STOPPER it stops itself by SIGSTOP, as top(1) does. */
static void log_signals(char **argv) {
    int fd = open(argv[0], O_WRONLY | O_CREAT | O_APPEND, 0644);
    uint64_t mask = ~(uint64_t)0;
    for (char *name = strtok(argv[2], ","); name; name = strtok(NULL, ","))
        if (atoi(name)) mask &= ~bit(atoi(name));
    set_mask(SIG_SETMASK, mask);
    dprintf(fd, "ready %d\n", (int)getpid());
    for (;;) {
        siginfo_t info;
        long sig = syscall(SYS_rt_sigtimedwait, &mask, &info, NULL, sizeof mask);
        if (sig < 0) continue; /* it was stopped and continued */
        dprintf(fd, "%ld %d %d\n", sig, info.si_code, info.si_code == SI_QUEUE ? info.si_value.sival_int : 0);
        if (sig == atoi(argv[1])) kill(getpid(), SIGSTOP);
    }
}

/* queue PID SIGNAL VALUE */
static void queue(char **argv) {
    union sigval value = {.sival_int = atoi(argv[2])};
    if (sigqueue(atoi(argv[0]), atoi(argv[1]), value) != 0) {
        perror("sigqueue");
        exit(70);
    }
}

/* args ARG...: every argument in hexadecimal, its own name first. */
static void args(char **argv) {
    for (; *argv; argv++) {
        for (unsigned char *c = (unsigned char *)*argv; *c; c++) printf("%02x", *c);
        printf("\n");
    }
}

/* descriptors: number, type, inode and flags of each. */
static void descriptors(void) {
    char out[4096];
    size_t length = 0;
    for (int fd = 0; fd < 1024; fd++) {
        struct stat facts;
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || fstat(fd, &facts) != 0) continue;
        length += snprintf(out + length, sizeof out - length, "%d: %o %lu:%lu flags %d status %o\n", fd, facts.st_mode,
                           (unsigned long)facts.st_dev, (unsigned long)facts.st_ino, flags, fcntl(fd, F_GETFL));
    }
    /* Standard output may be one of the closed. */
    int fd = open(getenv("PROBE_OUTPUT"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, out, length) != (ssize_t)length) exit(70);
}

/* attributes: what a process inherits and can be asked for. */
static void attributes(void) {
    char directory[4096];
    mode_t mask = umask(0);
    umask(mask);
    printf("cwd %s\numask %o\n", getcwd(directory, sizeof directory), mask);
    printf("group %d session %d terminal %d\n", getpgrp(), getsid(0), tcgetpgrp(0));
    printf("uid %d %d gid %d %d\n", getuid(), geteuid(), getgid(), getegid());
    printf("nice %d policy %d\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit limit;
        getrlimit(i, &limit);
        printf("limit %d %lx %lx\n", i, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
    }
    printf("dumpable %d slack %d no-new-privileges %d\n", prctl(PR_GET_DUMPABLE), prctl(PR_GET_TIMERSLACK),
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    int death = -1;
    prctl(PR_GET_PDEATHSIG, &death);
    printf("death signal %d\n", death);
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    printf("cpus %d\n", CPU_COUNT(&cpus));
}

int main(int argc, char **argv) {
    if (argc < 2) return 64;
    if (!strcmp(argv[1], "state")) state(argv + 2);
    else if (!strcmp(argv[1], "pending")) pending(argv + 2);
    else if (!strcmp(argv[1], "alarm")) alarmed(argv + 2);
    else if (!strcmp(argv[1], "environment")) environment(argv + 2);
    else if (!strcmp(argv[1], "die")) die(argv + 2);
    else if (!strcmp(argv[1], "log")) log_signals(argv + 2);
    else if (!strcmp(argv[1], "queue")) queue(argv + 2);
    else if (!strcmp(argv[1], "args")) args(argv);
    else if (!strcmp(argv[1], "descriptors")) descriptors();
    else if (!strcmp(argv[1], "attributes")) attributes();
    else return 64;
    return 0;
}
