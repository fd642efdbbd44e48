// The one translation unit that compiles Asio and Beast; everywhere else they are declarations.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
