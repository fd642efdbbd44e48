#include "agent/listen/metadata.h"

#include "common/json_string.h"

namespace sallyport::agent {

std::string ProtectedResourceMetadata(std::string_view resource,
                                      const std::vector<std::string>& authorization_servers) {
  std::string json = R"({"resource":)";
  AppendJsonString(resource, &json);
  json += R"(,"authorization_servers":[)";
  for (const std::string& server : authorization_servers) {
    if (json.back() != '[') json += ',';
    AppendJsonString(server, &json);
  }
  json += R"(],"bearer_methods_supported":["header"]})";
  return json;
}

}  // namespace sallyport::agent
