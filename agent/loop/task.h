#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sallyport::agent {

namespace net = boost::asio;

// The concrete executor everywhere: any_io_executor costs a tenth of the call path.
using Executor = net::io_context::executor_type;

// A coroutine on the loop's thread. Parameters are values, or references to what the awaiter owns; never a capturing lambda.
template <class T>
using Task = net::awaitable<T, Executor>;

using UseTask = net::use_awaitable_t<Executor>;

// Asio's operations complete with (error_code, ...) as a tuple: nothing throws.
inline constexpr auto kAsTuple = net::as_tuple(UseTask{});

}  // namespace sallyport::agent
