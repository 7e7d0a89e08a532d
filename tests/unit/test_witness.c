#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <parley.h>

#include "base/sanitized.h"
#include "loopback.h"
#include "witness/witness.h"

enum { MEMORY = 8 << 20, SWITCHES = 500 };
#define BURN 0.05 /* s of processor time */

/* ---- a server: a child that does what it is told, a letter a time, and answers with its processor time ----
 */

struct child {
    pid_t pid;
    int talk;
};

static double own_time(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

static void *burn(void *unused)
{
    double until = own_time() + BURN;
    while (own_time() < until)
        ;
    return unused;
}

static void burn_in_a_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, burn, NULL) == 0)
        pthread_join(thread, NULL);
}

static pid_t fork_one(void)
{
    pid_t pid = fork();
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

/* One that comes and goes. */
static void burn_in_a_child(void)
{
    pid_t pid = fork_one();
    if (pid == 0) {
        burn(NULL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

/* One that stays, and says when it is there. */
static void keep_a_child(void)
{
    int said[2];
    char letter;
    if (pipe(said) < 0)
        return;
    if (fork_one() == 0) {
        burn(NULL);
        if (write(said[1], "", 1) == 1)
            pause();
        _exit(0);
    }
    if (read(said[0], &letter, 1) != 1)
        _exit(1);
}

static void take_memory(void)
{
    char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        memset(memory, 1, MEMORY);
}

/* Reads all pages of its own program, as one that has run for long has. */
static void read_its_text(void)
{
    struct stat about;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) < 0)
        return;
    size_t size = (size_t)about.st_size;
    const volatile char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    for (size_t i = 0; text != MAP_FAILED && i < size; i += 4096)
        (void)text[i];
}

static void act(char letter)
{
    if (letter == 'b')
        burn(NULL);
    if (letter == 't')
        burn_in_a_thread();
    if (letter == 'c')
        burn_in_a_child();
    if (letter == 'k')
        keep_a_child();
    if (letter == 'm')
        take_memory();
    if (letter == 'x')
        read_its_text();
}

static void live(int talk)
{
    char letter;
    while (read(talk, &letter, 1) == 1) {
        act(letter);
        double spent = own_time();
        if (write(talk, &spent, sizeof spent) != sizeof spent)
            break;
    }
    _exit(0);
}

/* `listener` is the child's from then on; -1 none. */
static struct child child_open(int listener)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct child child = {fork_one(), ends[0]};
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        close(ends[0]);
        live(ends[1]);
    }
    close(ends[1]);
    if (listener >= 0)
        close(listener);
    return child;
}

static double tell(const struct child *child, char letter)
{
    double spent;
    assert_int_equal(write(child->talk, &letter, 1), 1);
    assert_int_equal(read(child->talk, &spent, sizeof spent), sizeof spent);
    return spent;
}

static void child_close(struct child *child)
{
    close(child->talk);
    assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
}

/* ---- what is asked of the witness ---- */

static struct sockaddr_in address_of(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
    return address;
}

static int open_for(struct witness *witness, const char *host, int port)
{
    struct sockaddr_in address = address_of(host, port);
    return witness_open(witness, (const struct sockaddr *)&address, sizeof address);
}

static struct witness_reading read_closely(const struct witness *witness)
{
    struct witness_reading reading;
    assert_int_equal(witness_read_closely(witness, &reading), 0);
    return reading;
}

static double time_of(const struct witness *witness)
{
    struct witness_reading reading;
    assert_int_equal(witness_read(witness, &reading), 0);
    return reading.time;
}

static void check_only(const struct witness *witness, pid_t pid)
{
    assert_int_equal(witness->count, 1);
    assert_int_equal(witness->roots[0].pid, pid);
}

/* ---- finding it ---- */

static void check_found_at(const char *listens_on, const char *reached_at)
{
    int port = 0;
    struct child child = child_open(loopback_listen(listens_on, &port, 5));
    struct witness witness;
    assert_int_equal(open_for(&witness, reached_at, port), 0);
    check_only(&witness, child.pid);
    witness_close(&witness);
    child_close(&child);
}

static void test_finds_who_listens(void **state)
{
    (void)state;
    check_found_at("127.0.0.1", "127.0.0.1");
    check_found_at("0.0.0.0", "127.0.0.2");
}

static int listen_at(const struct sockaddr *address, socklen_t length)
{
    int on = 1, listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    if (address->sa_family != AF_UNIX)
        assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    assert_int_equal(bind(listener, address, length), 0);
    assert_int_equal(listen(listener, 5), 0);
    return listener;
}

static void test_finds_ipv6_and_what_takes_both(void **state)
{
    (void)state;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    socklen_t length = sizeof address;
    int listener = listen_at((const struct sockaddr *)&address, length);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    struct child child = child_open(listener);
    struct witness witness;
    address.sin6_addr = in6addr_loopback;
    assert_int_equal(witness_open(&witness, (const struct sockaddr *)&address, length), 0);
    check_only(&witness, child.pid);
    witness_close(&witness);
    assert_int_equal(open_for(&witness, "127.0.0.1", ntohs(address.sin6_port)), 0);
    check_only(&witness, child.pid);
    witness_close(&witness);
    child_close(&child);
}

static void check_unix(const char *name, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    memcpy(address.sun_path, name, size);
    struct child child = child_open(listen_at((const struct sockaddr *)&address, length));
    struct witness witness;
    assert_int_equal(witness_open(&witness, (const struct sockaddr *)&address, length), 0);
    check_only(&witness, child.pid);
    witness_close(&witness);
    child_close(&child);
    unlink(address.sun_path);
}

static void test_finds_unix_sockets(void **state)
{
    (void)state;
    char name[64];
    int length = snprintf(name, sizeof name, "/tmp/witness %d", (int)getpid());
    check_unix(name, (size_t)length + 1);
    name[0] = '\0';
    check_unix(name, (size_t)length);
}

/* The kernel gives clients to the socket that is bound to their very address. */
static void test_prefers_the_more_exact(void **state)
{
    (void)state;
    struct sockaddr_in any = address_of("0.0.0.0", loopback_free_port()), exact = any;
    exact.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct child others = child_open(listen_at((const struct sockaddr *)&any, sizeof any));
    struct child child = child_open(listen_at((const struct sockaddr *)&exact, sizeof exact));
    struct witness witness;
    assert_int_equal(open_for(&witness, "127.0.0.1", ntohs(any.sin_port)), 0);
    check_only(&witness, child.pid);
    witness_close(&witness);
    assert_int_equal(open_for(&witness, "127.0.0.3", ntohs(any.sin_port)), 0);
    check_only(&witness, others.pid);
    witness_close(&witness);
    child_close(&child);
    child_close(&others);
}

static void test_says_why_there_is_nothing_to_see(void **state)
{
    (void)state;
    struct witness witness;
    check_failure(open_for(&witness, "127.0.0.1", loopback_free_port()), PARLEY_USAGE,
                  "nobody listens on 127.0.0.1:");
    witness_close(&witness);
    check_failure(open_for(&witness, "192.0.2.1", 80), PARLEY_USAGE, "192.0.2.1:80 is not on this machine");
    witness_close(&witness);
}

/* Another user's processes do not show their descriptors. */
static void test_does_not_look_where_it_may_not(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int port = 0;
    struct child server = child_open(loopback_listen("127.0.0.1", &port, 5));
    struct sockaddr_in address = address_of("127.0.0.1", port);
    pid_t pid = fork_one();
    if (pid == 0) {
        struct witness witness;
        int status = setgid(65534) == 0 && setuid(65534) == 0
                         ? witness_open(&witness, (const struct sockaddr *)&address, sizeof address)
                         : 0;
        _exit(status == PARLEY_USAGE && strstr(parley_error(), "another user") ? 0 : 1);
    }
    int code = -1;
    assert_int_equal(waitpid(pid, &code, 0), pid);
    assert_int_equal(code, 0);
    child_close(&server);
}

static void test_says_that_it_has_ended(void **state)
{
    (void)state;
    struct child child = child_open(-1);
    struct witness witness;
    struct witness_reading reading;
    assert_int_equal(witness_of_pid(&witness, child.pid), 0);
    child_close(&child);
    check_failure(witness_read(&witness, &reading), PARLEY_NETWORK, "ended");
    witness_close(&witness);
    check_failure(witness_of_pid(&witness, child.pid), PARLEY_USAGE, "ended");
    witness_close(&witness);
}

/* ---- what it costs ---- */

/* The child's own clock is the measure: what it spent between its two answers, and little more. */
static void test_time_is_that_of_its_threads(void **state)
{
    (void)state;
    struct child child = child_open(-1);
    struct witness witness;
    assert_int_equal(witness_of_pid(&witness, child.pid), 0);
    for (const char *letter = "bt"; *letter; letter++) {
        double before = time_of(&witness), own = tell(&child, ' ');
        double spent = tell(&child, *letter) - own, seen = time_of(&witness) - before;
        assert_true(spent >= BURN);
        assert_true(seen >= spent);
        assert_true(seen < spent + BURN / 2);
    }
    witness_close(&witness);
    child_close(&child);
}

static void skip_if_sanitized(void)
{
    if (!IS_SANITIZED)
        return;
    print_message("skipped: a sanitizer's run time has memory of its own, and may have threads\n");
    skip();
}

static void test_time_of_children_gone_and_there(void **state)
{
    (void)state;
    skip_if_sanitized();
    struct child child = child_open(-1);
    struct witness witness;
    assert_int_equal(witness_of_pid(&witness, child.pid), 0);
    double before = time_of(&witness);
    tell(&child, 'c');
    double after = time_of(&witness);
    assert_true(after - before >= BURN - 0.02); /* in ticks */
    tell(&child, 'k');
    struct witness_reading reading = read_closely(&witness);
    assert_int_equal(reading.processes, 2);
    assert_int_equal(reading.threads, 2);
    assert_true(reading.time - after >= BURN);
    witness_close(&witness);
    child_close(&child);
}

/* Memory that a child shares with its parent is counted once. */
static void test_memory(void **state)
{
    (void)state;
    skip_if_sanitized();
    struct child child = child_open(-1);
    struct witness witness;
    assert_int_equal(witness_of_pid(&witness, child.pid), 0);
    int64_t before = read_closely(&witness).memory;
    tell(&child, 'm');
    int64_t after = read_closely(&witness).memory;
    assert_in_range(after - before, MEMORY, MEMORY + MEMORY / 2);
    tell(&child, 'k');
    assert_in_range(read_closely(&witness).memory - after, 0, MEMORY / 2);
    witness_close(&witness);
    child_close(&child);
}

/* What others who run the same program make cheaper or dearer is not the server's. A child that has just
 * ended shared pages with this one, whose part of them then grows a little. */
static void test_memory_has_no_text(void **state)
{
    struct stat program;
    (void)state;
    skip_if_sanitized();
    assert_int_equal(stat("/proc/self/exe", &program), 0);
    struct child child = child_open(-1);
    struct witness witness;
    assert_int_equal(witness_of_pid(&witness, child.pid), 0);
    tell(&child, ' ');
    int64_t before = read_closely(&witness).memory;
    tell(&child, 'x');
    assert_true(read_closely(&witness).memory - before < program.st_size / 2);
    witness_close(&witness);
    child_close(&child);
}

static void test_switches(void **state)
{
    (void)state;
    struct child child = child_open(-1);
    struct witness witness;
    assert_int_equal(witness_of_pid(&witness, child.pid), 0);
    int64_t before = read_closely(&witness).switches;
    for (int i = 0; i < SWITCHES; i++)
        tell(&child, ' ');
    int64_t seen = read_closely(&witness).switches - before;
    assert_in_range(seen, SWITCHES / 2, 10 * SWITCHES);
    witness_close(&witness);
    child_close(&child);
}

/* A witness that is a child of the server counts neither itself nor its own children. */
static void test_leaves_itself_out(void **state)
{
    (void)state;
    struct witness_reading reading = {0};
    struct witness witness;
    pid_t parent = getpid(), pid = fork_one();
    if (pid == 0) {
        int status = witness_of_pid(&witness, parent);
        status = status ? status : witness_read(&witness, &reading);
        _exit(status == 0 && reading.processes == 1 ? 0 : 1);
    }
    int code = -1;
    assert_int_equal(waitpid(pid, &code, 0), pid);
    assert_int_equal(code, 0);
}

static void test_the_machine_and_our_threads(void **state)
{
    (void)state;
    struct machine_reading first, second;
    skip_if_sanitized();
    double before = thread_time(pthread_self());
    assert_int_equal(machine_read(&first), 0);
    for (int i = 0; i < 4; i++)
        burn(NULL);
    assert_int_equal(machine_read(&second), 0);
    assert_true(thread_time(pthread_self()) - before >= 4 * BURN);
    assert_true(second.total > first.total);
    assert_true(second.idle >= first.idle);
    assert_true(second.total - first.total >= second.idle - first.idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_who_listens),
        cmocka_unit_test(test_finds_ipv6_and_what_takes_both),
        cmocka_unit_test(test_finds_unix_sockets),
        cmocka_unit_test(test_prefers_the_more_exact),
        cmocka_unit_test(test_says_why_there_is_nothing_to_see),
        cmocka_unit_test(test_does_not_look_where_it_may_not),
        cmocka_unit_test(test_says_that_it_has_ended),
        cmocka_unit_test(test_time_is_that_of_its_threads),
        cmocka_unit_test(test_time_of_children_gone_and_there),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_memory_has_no_text),
        cmocka_unit_test(test_switches),
        cmocka_unit_test(test_leaves_itself_out),
        cmocka_unit_test(test_the_machine_and_our_threads),
    };
    return cmocka_run_group_tests(tests, remember_baseline, check_baseline);
}
