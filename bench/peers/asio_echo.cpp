// Standalone asio: no locks (one thread), a large buffer per connection, direct write, queued write for the
// rest.
#include <asio.hpp>
#include <cstdlib>
#include <memory>

using asio::ip::tcp;

namespace
{

constexpr std::size_t buffer_size = 64 * 1024;

// Asio reads into the buffer before it calls the handler, so that connections cannot share one.
class connection : public std::enable_shared_from_this<connection>
{
  public:
    explicit connection(tcp::socket accepted) : socket(std::move(accepted)), buffer(new char[buffer_size])
    {
    }

    void receive()
    {
        socket.async_read_some(asio::buffer(buffer.get(), buffer_size),
                               [self = shared_from_this()](std::error_code error, std::size_t size) {
                                   if (!error)
                                       self->echo(size);
                               });
    }

  private:
    void echo(std::size_t size)
    {
        std::error_code error;
        std::size_t sent = socket.write_some(asio::buffer(buffer.get(), size), error);
        if (error && error != asio::error::would_block)
            return;
        if (sent == size)
            receive();
        else
            send_rest(sent, size);
    }

    void send_rest(std::size_t sent, std::size_t size)
    {
        asio::async_write(socket, asio::buffer(buffer.get() + sent, size - sent),
                          [self = shared_from_this()](std::error_code error, std::size_t) {
                              if (!error)
                                  self->receive();
                          });
    }

    tcp::socket socket;
    std::unique_ptr<char[]> buffer;
};

void accept_next(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](std::error_code error, tcp::socket socket) {
        if (!error) {
            socket.non_blocking(true, error);
            std::make_shared<connection>(std::move(socket))->receive();
        }
        accept_next(acceptor);
    });
}

} // namespace

int main(int argc, char **argv)
{
    int port = argc == 2 ? std::atoi(argv[1]) : 0;
    if (port <= 0 || port > 65535)
        return 2;
    asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
    tcp::acceptor acceptor(
        context, tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)));
    acceptor.set_option(tcp::no_delay(true)); // accepted connections inherit it
    accept_next(acceptor);
    context.run();
    return 1;
}
