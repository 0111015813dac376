/* Copyright: (c) 2026, the DESI Lab contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A long cable: passes TCP connections on and delays each direction by half the round trip. Bandwidth is not limited
 * unless a rate is given. A connection costs one round trip before its first byte, as a real one does.
 *
 *   delay LISTEN_PORT TARGET_PORT ROUND_TRIP_MS COUNTERS_FILE [MEGABYTES_PER_SECOND]
 *
 * Everything is on the loopback. LISTEN_PORT 0 takes any; the port is printed. The counters are five numbers of 64 bits,
 * mapped from the file: connections, requests, bytes to the server, bytes to the client, the port.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, READS = 4 };
/* What one direction may have under way; at a round trip of 60 ms this is no limit below 2 GB/s. */
static const size_t UNDER_WAY = 64u << 20;

struct chunk { struct chunk *next; int64_t due; size_t used, sent; char data[CHUNK]; };
struct side { int fd; struct chunk *first, *last; size_t queued; int ended, shut; struct pair *pair; uint32_t wanted; };
/* side[0] is the client's, side[1] the server's. What is queued at a side waits to be written to it. */
struct pair { struct side side[2]; int64_t opened; int dead; struct pair *next, *before; };

static volatile uint64_t *counters;
static int64_t half, rate, busy_until;
static int epoll;
static struct pair *pairs;
static struct chunk *spare;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void fail(const char *what) { perror(what); exit(1); }

static struct chunk *take(void) {
    struct chunk *c = spare;
    if (c) spare = c->next;
    else if (!(c = malloc(sizeof *c))) fail("malloc");
    c->next = NULL;
    c->used = c->sent = 0;
    return c;
}

static void give(struct chunk *c) { c->next = spare; spare = c; }

/* Watch a side: for reading while the other side has room, for writing while something due did not fit. */
static void watch(struct side *s, int full) {
    struct side *other = s == &s->pair->side[0] ? &s->pair->side[1] : &s->pair->side[0];
    uint32_t wanted = (!s->ended && other->queued < UNDER_WAY ? EPOLLIN : 0) | (full ? EPOLLOUT : 0);
    if (wanted == s->wanted) return;
    struct epoll_event e = {.events = wanted, .data.ptr = s};
    epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &e);
    s->wanted = wanted;
}

static int is_request(const struct chunk *c) {
    return c->used > 5 && (!memcmp(c->data, "GET /", 5) || !memcmp(c->data, "HEAD ", 5) || !memcmp(c->data, "PUT /", 5));
}

static void receive(struct side *from) {
    int at = from == &from->pair->side[1];
    struct side *to = &from->pair->side[!at];
    for (int i = 0; i < READS && to->queued < UNDER_WAY; i++) {
        struct chunk *c = take();
        ssize_t n = read(from->fd, c->data, CHUNK);
        if (n < 0) {
            give(c);
            if (errno != EAGAIN && errno != EINTR) from->pair->dead = 1;
            return;
        }
        int64_t t = now(), ready = from->pair->opened + 2 * half;
        if (t < ready) t = ready;
        if (at && rate && n > 0) {
            if (busy_until < t) busy_until = t;
            t = busy_until += n * 1000000000ll / rate;
        }
        c->used = n;
        c->due = t + half;
        if (to->last && to->last->due > c->due) c->due = to->last->due;
        counters[at ? 3 : 2] += n;
        if (!at && is_request(c)) counters[1]++;
        /* An empty chunk carries the end, which is as late as the data. */
        if (n == 0) from->ended = 1;
        to->last = to->last ? (to->last->next = c) : (to->first = c);
        to->queued += n;
        if (n < CHUNK) return;
    }
}

static int64_t deliver(struct side *s, int64_t t) {
    int full = 0;
    while (s->first && s->first->due <= t && !full) {
        struct chunk *c = s->first;
        if (c->used == 0) {
            shutdown(s->fd, SHUT_WR);
            s->shut = 1;
        }
        while (c->sent < c->used) {
            ssize_t n = send(s->fd, c->data + c->sent, c->used - c->sent, MSG_NOSIGNAL);
            if (n < 0) {
                if (errno == EAGAIN) full = 1;
                else s->pair->dead = 1;
                break;
            }
            c->sent += n;
            s->queued -= n;
        }
        if (full || s->pair->dead) break;
        s->first = c->next;
        if (!s->first) s->last = NULL;
        give(c);
    }
    watch(s, full);
    return s->first && !full ? s->first->due : INT64_MAX;
}

static void drop(struct pair *p) {
    for (int i = 0; i < 2; i++) {
        close(p->side[i].fd);
        while (p->side[i].first) {
            struct chunk *c = p->side[i].first;
            p->side[i].first = c->next;
            give(c);
        }
    }
    if (p->before) p->before->next = p->next; else pairs = p->next;
    if (p->next) p->next->before = p->before;
    free(p);
}

static void add(struct side *s, struct pair *p, int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    s->fd = fd;
    s->pair = p;
    s->wanted = EPOLLIN;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e)) fail("epoll_ctl");
}

static void open_pair(int listener, const struct sockaddr_in *target) {
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) return;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || connect(server, (const struct sockaddr *)target, sizeof *target)) {
        struct linger now_ = {1, 0};
        setsockopt(client, SOL_SOCKET, SO_LINGER, &now_, sizeof now_);
        close(client);
        if (server >= 0) close(server);
        return;
    }
    struct pair *p = calloc(1, sizeof *p);
    if (!p) fail("calloc");
    p->opened = now();
    p->next = pairs;
    if (pairs) pairs->before = p;
    pairs = p;
    add(&p->side[0], p, client);
    add(&p->side[1], p, server);
    counters[0]++;
}

int main(int argc, char **argv) {
    if (argc < 5) { fprintf(stderr, "usage: delay LISTEN TARGET ROUND_TRIP_MS COUNTERS [MB_PER_S]\n"); return 2; }
    signal(SIGPIPE, SIG_IGN);
    half = (int64_t)(atof(argv[3]) * 1e6 / 2);
    rate = argc > 5 ? (int64_t)(atof(argv[5]) * 1e6) : 0;
    int file = open(argv[4], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, 40)) fail(argv[4]);
    counters = mmap(NULL, 40, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (counters == MAP_FAILED) fail("mmap");
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))}, target = here;
    here.sin_addr.s_addr = target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    target.sin_port = htons(atoi(argv[2]));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 512)) fail("listen");
    socklen_t size = sizeof here;
    getsockname(listener, (struct sockaddr *)&here, &size);
    counters[4] = ntohs(here.sin_port);
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, ready[64];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (int64_t next = INT64_MAX;;) {
        int64_t wait = next == INT64_MAX ? 1000000000 : next - now();
        if (wait < 0) wait = 0;
        struct timespec patience = {wait / 1000000000, wait % 1000000000};
        int n = epoll_pwait2(epoll, ready, 64, &patience, NULL);
        for (int i = 0; i < n; i++) {
            struct side *s = ready[i].data.ptr;
            if (!s) open_pair(listener, &target);
            else if (ready[i].events & EPOLLIN) receive(s);
            /* What became writable is written below. Gone both ways: what it said before is still passed on. */
            else if (!(ready[i].events & (EPOLLERR | EPOLLHUP))) continue;
            else if (s->ended) epoll_ctl(epoll, EPOLL_CTL_DEL, s->fd, NULL);
            else s->pair->dead = 1;
        }
        next = INT64_MAX;
        int64_t t = now();
        for (struct pair *p = pairs, *after; p; p = after) {
            after = p->next;
            for (int i = 0; i < 2 && !p->dead; i++) {
                int64_t due = deliver(&p->side[i], t);
                if (due < next) next = due;
            }
            if (p->dead || (p->side[0].shut && p->side[1].shut)) drop(p);
        }
    }
}
