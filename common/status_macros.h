#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Early return of an error. The CO_ forms are for coroutines, whose `return` is spelled co_return.
// The expression may contain co_await in the CO_ forms.
//
//   RETURN_IF_ERROR(Check(x));
//   ASSIGN_OR_RETURN(auto grant, Verify(token));
//   CO_ASSIGN_OR_RETURN(auto message, co_await exchange->Next());

#define SALLYPORT_CONCAT_(a, b) a##b
#define SALLYPORT_CONCAT(a, b) SALLYPORT_CONCAT_(a, b)

#define SALLYPORT_RETURN_IF_ERROR_(how, status, expression) \
  if (absl::Status status = (expression); !status.ok()) how status

#define SALLYPORT_ASSIGN_OR_RETURN_(how, result, declaration, ...) \
  auto result = (__VA_ARGS__);                                     \
  if (!result.ok()) how std::move(result).status();                \
  declaration = *std::move(result)

#define RETURN_IF_ERROR(...) \
  SALLYPORT_RETURN_IF_ERROR_(return, SALLYPORT_CONCAT(status_at_, __LINE__), (__VA_ARGS__))
#define ASSIGN_OR_RETURN(declaration, ...)                                                 \
  SALLYPORT_ASSIGN_OR_RETURN_(return, SALLYPORT_CONCAT(result_at_, __LINE__), declaration, \
                                    __VA_ARGS__)

#define CO_RETURN_IF_ERROR(...) \
  SALLYPORT_RETURN_IF_ERROR_(co_return, SALLYPORT_CONCAT(status_at_, __LINE__), (__VA_ARGS__))
#define CO_ASSIGN_OR_RETURN(declaration, ...)                                                 \
  SALLYPORT_ASSIGN_OR_RETURN_(co_return, SALLYPORT_CONCAT(result_at_, __LINE__), declaration, \
                              __VA_ARGS__)
