#include "agent/listen/metadata.h"

#include "common/json_string.h"

namespace sallyport::agent {
namespace {

void AppendStrings(const std::vector<std::string>& strings, std::string* json) {
  json->push_back('[');
  for (const std::string& text : strings) {
    if (json->back() != '[') json->push_back(',');
    AppendJsonString(text, json);
  }
  json->push_back(']');
}

}  // namespace

std::string ProtectedResourceMetadata(std::string_view resource,
                                      const std::vector<std::string>& authorization_servers,
                                      const std::vector<std::string>& scopes) {
  std::string json = R"({"resource":)";
  AppendJsonString(resource, &json);
  json += R"(,"authorization_servers":)";
  AppendStrings(authorization_servers, &json);
  if (!scopes.empty()) {
    json += R"(,"scopes_supported":)";
    AppendStrings(scopes, &json);
  }
  json += R"(,"bearer_methods_supported":["header"]})";
  return json;
}

}  // namespace sallyport::agent
