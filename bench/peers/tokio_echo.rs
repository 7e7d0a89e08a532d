// tokio on its current-thread runtime: a task per connection, one shared receive buffer, direct write.
//
// The task is a future written by hand: it borrows the buffer only while it is polled, so an idle connection
// has none, and it echoes inside poll_read's own turn, whose short read spares the call that hears EAGAIN.
// read().await into a buffer of the task's own costs every connection its buffer and is no faster.
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const BUFFER_SIZE: usize = 256 * 1024;
const BACKLOG: i32 = 4096;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_SIZE]);
}

struct Echo {
    stream: TcpStream,
    rest: Vec<u8>, // what the kernel did not take yet: while there is any, nothing is read
}

impl Echo {
    fn write(&mut self, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn flush(&mut self, context: &mut Context) -> Poll<io::Result<()>> {
        let mut rest = std::mem::take(&mut self.rest);
        while !rest.is_empty() {
            match self.write(context, &rest) {
                Poll::Ready(Ok(sent)) => drop(rest.drain(..sent)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.rest = rest;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn read<'a>(&mut self, context: &mut Context, buffer: &'a mut [u8]) -> Poll<io::Result<&'a [u8]>> {
        let mut lent = ReadBuf::new(buffer);
        match Pin::new(&mut self.stream).poll_read(context, &mut lent) {
            Poll::Ready(Ok(())) => {
                let size = lent.filled().len();
                Poll::Ready(Ok(&buffer[..size]))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Echoes what is there: pending when there is no more, an error at the end of input too.
    fn echo(&mut self, context: &mut Context, buffer: &mut [u8]) -> Poll<io::Result<Infallible>> {
        loop {
            if !self.rest.is_empty() {
                match self.flush(context) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            let bytes = match self.read(context, buffer) {
                Poll::Ready(Ok(bytes)) => bytes,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            if bytes.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let sent = match self.write(context, bytes) {
                Poll::Ready(Ok(sent)) => sent,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => 0,
            };
            self.rest.extend_from_slice(&bytes[sent..]);
        }
    }
}

impl Future for Echo {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<()> {
        BUFFER.with(|buffer| self.echo(context, &mut buffer.borrow_mut())).map(drop)
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nodelay(true)?; // accepted connections inherit it
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn serve(port: u16) -> io::Result<Infallible> {
    let listener = listen(port)?;
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(Echo { stream, rest: Vec::new() });
        }
    }
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    if port == 0 {
        std::process::exit(2);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(serve(port)).map(drop)
}
