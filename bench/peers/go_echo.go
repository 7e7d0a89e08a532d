// Go's net package with GOMAXPROCS 1: a goroutine per connection, which waits inside one RawConn.Read.
//
// Its callback is called each time the runtime has seen the socket readable. It borrows a buffer while it
// runs, so an idle connection has none and large messages pass through a warm one; and its calls need not
// tell the scheduler, as they never block. Both are dearer with net.Conn's Read and Write. Reading on until
// EAGAIN cannot be spared: the runtime keeps the end of input to itself, and an edge comes only once.
package main

import (
	"context"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

const bufferSize = 256 * 1024

var buffers = sync.Pool{New: func() interface{} { return new([bufferSize]byte) }}

func transfer(call, fd uintptr, bytes []byte) (int, syscall.Errno) {
	for {
		size, _, errno := syscall.RawSyscall6(call, fd, uintptr(unsafe.Pointer(&bytes[0])), uintptr(len(bytes)),
			syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		if errno != syscall.EINTR {
			return int(size), errno
		}
	}
}

// True when all went well, so far.
func send(connection net.Conn, fd uintptr, bytes []byte) bool {
	sent, errno := transfer(syscall.SYS_SENDTO, fd, bytes)
	if errno == syscall.EAGAIN {
		sent, errno = 0, 0
	}
	if errno != 0 || sent == len(bytes) {
		return errno == 0
	}
	_, err := connection.Write(bytes[sent:]) // waits for room; others borrow other buffers meanwhile
	return err == nil
}

// Echoes what is there; true when the connection is over.
func echo(connection net.Conn, fd uintptr, buffer []byte) bool {
	for {
		size, errno := transfer(syscall.SYS_RECVFROM, fd, buffer)
		if errno == syscall.EAGAIN {
			return false
		}
		if errno != 0 || size == 0 || !send(connection, fd, buffer[:size]) {
			return true
		}
	}
}

func serve(connection *net.TCPConn) {
	defer connection.Close()
	raw, err := connection.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(fd uintptr) bool {
		buffer := buffers.Get().(*[bufferSize]byte)
		defer buffers.Put(buffer)
		return echo(connection, fd, buffer[:])
	})
}

func listen(port int) (net.Listener, error) {
	config := net.ListenConfig{KeepAlive: -1} // three system calls less per connection
	return config.Listen(context.Background(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

func main() {
	if len(os.Args) != 2 {
		os.Exit(2)
	}
	port, _ := strconv.Atoi(os.Args[1])
	if port <= 0 || port > 65535 {
		os.Exit(2)
	}
	runtime.GOMAXPROCS(1)
	listener, err := listen(port)
	if err != nil {
		os.Exit(1)
	}
	for {
		if connection, err := listener.Accept(); err == nil {
			go serve(connection.(*net.TCPConn))
		}
	}
}
