// Standalone asio as a readiness loop: wait, then read into one shared buffer. Against asio_echo.cpp it pays
// an epoll_ctl per message and saves a buffer per connection; which is faster depends on the column, so both
// run.
#include <asio.hpp>
#include <cstdlib>
#include <memory>
#include <string>

using asio::ip::tcp;

namespace
{

char buffer[256 * 1024];

class connection : public std::enable_shared_from_this<connection>
{
  public:
    explicit connection(tcp::socket accepted) : socket(std::move(accepted))
    {
    }

    void receive()
    {
        socket.async_wait(tcp::socket::wait_read, [self = shared_from_this()](std::error_code error) {
            if (!error)
                self->echo();
        });
    }

  private:
    void echo()
    {
        std::error_code error;
        std::size_t size = socket.read_some(asio::buffer(buffer), error);
        if (error == asio::error::would_block)
            return receive();
        if (error)
            return;
        std::size_t sent = socket.write_some(asio::buffer(buffer, size), error);
        if (error && error != asio::error::would_block)
            return;
        if (sent == size)
            receive();
        else
            send_rest(sent, size);
    }

    void send_rest(std::size_t sent, std::size_t size)
    {
        auto rest = std::make_shared<std::string>(buffer + sent, size - sent);
        asio::async_write(socket, asio::buffer(*rest),
                          [self = shared_from_this(), rest](std::error_code error, std::size_t) {
                              if (!error)
                                  self->receive();
                          });
    }

    tcp::socket socket;
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
