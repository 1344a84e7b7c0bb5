/* The floor: a loop of send() over connections that another process drains. Usage: baseline READERS FRAMES BYTES.
   Prints the port, waits for all readers, then prints microseconds of its own CPU for each send. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static double cpu_us(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 + use.ru_utime.tv_usec + use.ru_stime.tv_usec;
}

int main(int argc, char **argv) {
    int readers = atoi(argv[1]), frames = atoi(argv[2]), bytes = atoi(argv[3]);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), *all = malloc(sizeof(int) * readers);
    char *frame = calloc(1, bytes);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) return 1;
    getsockname(listener, (void *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int i = 0; i < readers; i++)
        if ((all[i] = accept(listener, 0, 0)) < 0) return 2;
    double spent = 0;
    for (int f = 0; f < frames; f++) {
        double began = cpu_us();
        for (int i = 0; i < readers; i++)
            if (send(all[i], frame, bytes, MSG_NOSIGNAL) != bytes) return 3;
        spent += cpu_us() - began;
        usleep(200000);
    }
    printf("%f\n", spent / frames / readers);
    return 0;
}
