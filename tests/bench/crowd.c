/* Readers whose messages nobody looks at, in numbers: connects, upgrades, joins, then reads and counts whatever comes.
   Usage: crowd PORT COUNT HANDSHAKE JOIN. Prints "joined" when all have been answered; then for each byte on stdin
   "BYTES LEAST MEDIAN GONE QUIET_MS": of all since the last time, of one of them, how many connections ended, and for
   how long nothing but pings came. Ends with stdin. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLICE = 250, BUFFER = 1 << 20, READY = 4096 };
static char buffer[BUFFER];
static int poll_fd, count, gone, *sockets;
static long *read_bytes, *sorted, total;
static double news;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static void take(int place) {
    ssize_t got = recv(sockets[place], buffer, BUFFER, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        gone++;
        close(sockets[place]);
        return;
    }
    /* Answered within a minute, or the server lets go; one too many does no harm. */
    if (memmem(buffer, got, "\x89\x00", 2)) {
        send(sockets[place], "\x8a\x80\0\0\0\0", 6, MSG_NOSIGNAL);
        if (got == 2) return;
    }
    read_bytes[place] += got;
    total += got;
    news = now();
}

static void turn(int wait_ms) {
    struct epoll_event ready[READY];
    int many = epoll_wait(poll_fd, ready, READY, wait_ms);
    for (int i = 0; i < many; i++)
        if (ready[i].data.fd >= 0) take(ready[i].data.fd);
}

/* One text frame under the mask of zeros (RFC 6455, 5.2). */
static int frame(char *into, const char *text) {
    int length = strlen(text), head = length < 126 ? 6 : 8;
    memset(into, 0, head);
    into[0] = '\x81';
    into[1] = (char)(0x80 | (length < 126 ? length : 126));
    if (head == 8) into[2] = (char)(length >> 8), into[3] = (char)length;
    memcpy(into + head, text, length);
    return head + length;
}

static int by_size(const void *one, const void *other) {
    long difference = *(const long *)one - *(const long *)other;
    return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (argc < 5 || strlen(argv[4]) > 1000) return 2;
    char join[1100], *upgrade = argv[3];
    int upgrade_bytes = strlen(upgrade), join_bytes = frame(join, argv[4]);
    server.sin_port = htons(atoi(argv[1]));
    count = atoi(argv[2]);
    sockets = calloc(count, sizeof *sockets);
    read_bytes = calloc(count, sizeof *read_bytes);
    sorted = calloc(count, sizeof *sorted);
    poll_fd = epoll_create1(0);
    for (int start = 0; start < count; start += SLICE) {
        int end = start + SLICE < count ? start + SLICE : count;
        for (int i = start; i < end; i++) {
            sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(sockets[i], (void *)&server, sizeof server)) return 5;
            if (send(sockets[i], upgrade, upgrade_bytes, MSG_NOSIGNAL) != upgrade_bytes) return 6;
        }
        for (int i = start; i < end; i++) {
            char head[2048];
            int have = 0;
            while (have < 4 || memcmp(head + have - 4, "\r\n\r\n", 4)) {
                if (have == sizeof head || recv(sockets[i], head + have, 1, 0) != 1) return 7;
                have++;
            }
            if (memcmp(head, "HTTP/1.1 101", 12)) return 8;
            if (send(sockets[i], join, join_bytes, MSG_NOSIGNAL) != join_bytes) return 9;
            struct epoll_event readable = {.events = EPOLLIN, .data.fd = i};
            epoll_ctl(poll_fd, EPOLL_CTL_ADD, sockets[i], &readable);
        }
        turn(0);
    }
    for (int answered = 0; answered < count;) {
        turn(100);
        if (gone) return 10;
        for (answered = 0; answered < count && read_bytes[answered]; answered++) {}
    }
    printf("joined\n");
    fflush(stdout);
    total = 0;
    memset(read_bytes, 0, count * sizeof *read_bytes);
    struct epoll_event asked = {.events = EPOLLIN, .data.fd = -1};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, 0, &asked);
    for (;;) {
        /* Awake in between, every send would have to wake us, which no send to another machine does. */
        usleep(2000);
        struct epoll_event ready[READY];
        int many = epoll_wait(poll_fd, ready, READY, 1000);
        for (int i = 0; i < many; i++) {
            if (ready[i].data.fd >= 0) {
                take(ready[i].data.fd);
                continue;
            }
            char line;
            if (read(0, &line, 1) != 1) return 0;
            memcpy(sorted, read_bytes, count * sizeof *sorted);
            qsort(sorted, count, sizeof *sorted, by_size);
            printf("%ld %ld %ld %d %.0f\n", total, sorted[0], sorted[count / 2], gone, now() - news);
            fflush(stdout);
            total = 0;
            memset(read_bytes, 0, count * sizeof *read_bytes);
        }
    }
}
