#pragma once

#include <functional>
#include <string>
#include <vector>

#include "controlplane/cli/check_request.h"
#include "controlplane/cli/connection.h"
#include "controlplane/cli/output.h"

// How a command asks: open a connection, call, print or fail.
namespace sallyport::controlplane {

// One unary call. `method` is the stub's; `show` prints the response and returns the exit code.
//
//   return Ask<admin::v1::SessionService>(options, &Stub::GetSession, request,
//                                         [&](const Response& response) { ...; return 0; });
template <class Service, class Request, class Response, class Show>
int Ask(const ClientOptions& options,
        grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
        const Request& request, Show show) {
  if (const absl::Status readable = CheckRequest(request); !readable.ok()) return Fail(readable);
  absl::StatusOr<ApiConnection> connection = ApiConnection::Open(options);
  if (!connection.ok()) return Fail(connection.status());
  auto stub = connection->Stub<Service>();
  auto context = connection->Context();
  Response response;
  grpc::Status status = (stub.get()->*method)(context.get(), request, &response);
  if (!status.ok()) return Fail(status, connection->address());
  return show(response);
}

// A whole list, page by page: `next` asks for one page of `request` and hands over its items.
template <class Service, class Request, class Response>
int AskAll(const ClientOptions& options,
           grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
           Request request, std::function<int(const std::vector<Response>&)> show) {
  if (const absl::Status readable = CheckRequest(request); !readable.ok()) return Fail(readable);
  absl::StatusOr<ApiConnection> connection = ApiConnection::Open(options);
  if (!connection.ok()) return Fail(connection.status());
  auto stub = connection->Stub<Service>();
  std::vector<Response> pages;
  do {
    auto context = connection->Context();
    Response page;
    grpc::Status status = (stub.get()->*method)(context.get(), request, &page);
    if (!status.ok()) return Fail(status, connection->address());
    request.set_page_token(page.next_page_token());
    pages.push_back(std::move(page));
  } while (!request.page_token().empty());
  return show(pages);
}

// The items of all pages as one list in `format`, or as the table that `row` fills. `what` they
// are, for who gets none.
template <class Response, class Row>
int ShowList(const std::vector<Response>& pages, std::string_view format, std::string_view what,
             Table table, Row row) {
  std::vector<const google::protobuf::Message*> items;
  for (const Response& page : pages) {
    for (const auto& item : page.items()) {
      items.push_back(&item);
      if (format == "table") table.Add(row(item));
    }
  }
  PrintList(items, format, table, what);
  return 0;
}

}  // namespace sallyport::controlplane
