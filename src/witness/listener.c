#include "witness/listener.h"
#include "base/error.h"
#include "net/address.h"
#include "witness/proc.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SOCKETS = 256,         /* listening sockets of one address: a worker each with SO_REUSEPORT */
    DESCRIPTORS = 2000000, /* of all processes together that are looked at: some seconds */
    LISTENS = 0x0a         /* TCP_LISTEN, as /proc/net/tcp writes it */
};

/* What is looked for, and the sockets found. */
struct search {
    int family;
    struct in6_addr address; /* IPv4 is mapped */
    uint16_t port;
    const struct sockaddr_un *path;
    socklen_t path_length;
    uint64_t inodes[SOCKETS];
    size_t count;
    int exactness;   /* of those found: 1 bound to any address, 2 to this one */
    unsigned looked; /* descriptors so far */
    bool refused;    /* a process did not let us look */
    pid_t pid;       /* whose descriptors are looked at */
    struct holders *holders;
    bool failed; /* no memory */
};

static void note_socket(struct search *search, uint64_t inode, int exactness)
{
    if (exactness > search->exactness)
        search->count = 0;
    if (exactness < search->exactness || search->count == SOCKETS)
        return;
    search->exactness = exactness;
    search->inodes[search->count++] = inode;
}

static struct in6_addr mapped(uint32_t address)
{
    struct in6_addr result = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(result.s6_addr + 12, &address, sizeof address);
    return result;
}

/* "0100007F" or four such words: each is a word of the address as this machine's memory has it. */
static bool read_address(const char *text, struct in6_addr *address)
{
    uint32_t words[4] = {0};
    size_t length = strlen(text);
    for (size_t i = 0; i < length / 8 && i < 4; i++) {
        char word[9] = "";
        memcpy(word, text + 8 * i, 8);
        words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    if (length == 8)
        *address = mapped(words[0]);
    else
        memcpy(address, words, sizeof words);
    return length == 8 || length == 32;
}

/* How well a socket bound to `bound` serves the address: 0 not at all. */
static int exactness_of(const struct search *search, const struct in6_addr *bound)
{
    static const struct in6_addr any = IN6ADDR_ANY_INIT;
    struct in6_addr any_ipv4 = mapped(INADDR_ANY);
    if (memcmp(bound, &search->address, sizeof *bound) == 0)
        return 2;
    if (memcmp(bound, &any, sizeof any) == 0)
        return 1;
    return IN6_IS_ADDR_V4MAPPED(&search->address) && memcmp(bound, &any_ipv4, sizeof any_ipv4) == 0;
}

/* Listening sockets stand first, so the first other is the end: a churn leaves tens of thousands behind. */
static bool take_inet_line(struct search *search, const char *line)
{
    char text[40];
    unsigned port, state;
    uint64_t inode;
    struct in6_addr bound;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel writes numbers only, and how many were read is looked at */
    if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F:] %x %*s %*s %*s %*u %*u %" SCNu64, text, &port, &state,
               &inode) != 4)
        return true; /* the heading */
    if (state != LISTENS)
        return false;
    int exactness = port == search->port && read_address(text, &bound) ? exactness_of(search, &bound) : 0;
    if (exactness > 0)
        note_socket(search, inode, exactness);
    return true;
}

/* Whether the name in the kernel's list is the one looked for; an abstract one begins with '@' there. */
static bool is_path(const struct search *search, const char *name)
{
    char wanted[sizeof search->path->sun_path + 1] = "";
    size_t size = search->path_length - offsetof(struct sockaddr_un, sun_path);
    struct stat one, other;
    memcpy(wanted, search->path->sun_path, size < sizeof wanted - 1 ? size : sizeof wanted - 1);
    if (!*wanted)
        return *name == '@' && strncmp(name + 1, wanted + 1, size - 1) == 0 && strlen(name) == size;
    if (strcmp(name, wanted) == 0)
        return true;
    return stat(name, &one) == 0 && stat(wanted, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

static bool take_unix_line(struct search *search, const char *line)
{
    enum { ACCEPTS = 0x10000 }; /* __SO_ACCEPTCON */
    char name[128];
    unsigned flags;
    uint64_t inode;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel writes numbers only, and how many were read is looked at */
    if (sscanf(line, "%*x: %*x %*x %x %*x %*x %" SCNu64 " %127[^\n]", &flags, &inode, name) == 3 &&
        (flags & ACCEPTS) && is_path(search, name))
        note_socket(search, inode, 2);
    return true;
}

/* /proc/net is our own network namespace: another one's server of the same address is not found. */
static void read_sockets(struct search *search, const char *file,
                         bool (*take)(struct search *search, const char *line))
{
    char line[512];
    FILE *in = fopen(file, "re");
    while (in && fgets(line, sizeof line, in) && take(search, line))
        continue;
    if (in)
        fclose(in);
}

static void find_sockets(struct search *search)
{
    if (search->family == AF_UNIX) {
        read_sockets(search, "/proc/net/unix", take_unix_line);
        return;
    }
    read_sockets(search, "/proc/net/tcp", take_inet_line);
    read_sockets(search, "/proc/net/tcp6", take_inet_line);
}

static bool is_wanted(const struct search *search, uint64_t inode)
{
    for (size_t i = 0; i < search->count; i++)
        if (search->inodes[i] == inode)
            return true;
    return false;
}

static bool add_holder(struct search *search)
{
    struct holders *holders = search->holders;
    if (holders->count == holders->room) {
        size_t room = holders->room * 2 + 16;
        pid_t *pids = realloc(holders->pids, room * sizeof *pids);
        search->failed = !pids;
        if (!pids)
            return false;
        holders->pids = pids;
        holders->room = room;
    }
    holders->pids[holders->count++] = search->pid;
    return true;
}

/* Ends with the first descriptor that is one of the sockets. */
static bool look_at_descriptor(void *context, pid_t number)
{
    struct search *search = context;
    char path[64], target[64] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)search->pid, (int)number);
    search->looked++;
    if (readlink(path, target, sizeof target - 1) > 0 && strncmp(target, "socket:[", 8) == 0 &&
        is_wanted(search, strtoull(target + 8, NULL, 10))) {
        add_holder(search);
        return false;
    }
    return search->looked < DESCRIPTORS;
}

/* The manager of services keeps the sockets it made for them: it serves nobody itself. */
static bool is_manager(pid_t pid)
{
    char name[32] = "";
    return pid == 1 ||
           (proc_text(name, sizeof name, "/proc/%d/comm", (int)pid) > 0 && strcmp(name, "systemd\n") == 0);
}

static bool look_at_process(void *context, pid_t pid)
{
    struct search *search = context;
    char directory[64];
    search->pid = pid;
    snprintf(directory, sizeof directory, "/proc/%d/fd", (int)pid);
    if (!is_manager(pid) && proc_numbers(directory, look_at_descriptor, search) < 0)
        search->refused = true;
    return search->looked < DESCRIPTORS && !search->failed;
}

/* Only an address of this machine can be bound. */
static bool is_ours(const struct sockaddr *target, socklen_t length)
{
    struct sockaddr_storage address = {0};
    int probe = socket(target->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    memcpy(&address, target, length);
    if (target->sa_family == AF_INET)
        ((struct sockaddr_in *)&address)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)&address)->sin6_port = 0;
    bool bound = bind(probe, (const struct sockaddr *)&address, length) == 0;
    close(probe);
    return bound;
}

static void look_for(struct search *search, const struct sockaddr *target, socklen_t length)
{
    const void *address = target;
    const struct sockaddr_in *ipv4 = address;
    const struct sockaddr_in6 *ipv6 = address;
    search->family = target->sa_family;
    if (target->sa_family == AF_UNIX) {
        search->path = address;
        search->path_length = length;
    } else if (target->sa_family == AF_INET) {
        search->address = mapped(ipv4->sin_addr.s_addr);
        search->port = ntohs(ipv4->sin_port);
    } else {
        search->address = ipv6->sin6_addr;
        search->port = ntohs(ipv6->sin6_port);
    }
}

int listener_holders(struct holders *holders, const struct sockaddr *target, socklen_t length)
{
    struct search search = {.holders = holders};
    char text[ADDRESS_TEXT];
    *holders = (struct holders){0};
    address_text(target, length, text);
    if (target->sa_family != AF_UNIX && !is_ours(target, length))
        return fail(PARLEY_USAGE, "%s is not on this machine", text);
    look_for(&search, target, length);
    find_sockets(&search);
    if (search.count == 0)
        return fail(PARLEY_USAGE, "nobody listens on %s in this network namespace", text);
    proc_numbers("/proc", look_at_process, &search);
    if (search.failed)
        return fail(PARLEY_RESOURCE, "no memory for the processes that listen on %s", text);
    if (holders->count == 0)
        return fail(PARLEY_USAGE, "the server on %s is not ours to look at%s", text,
                    search.refused ? ": it belongs to another user" : "");
    return 0;
}
