// Configuration files and documents: whatever the bytes, an answer and no exception.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/config_file.h"
#include "common/json_printer.h"
#include "sallyport/config/v1/controlplane_config.pb.h"
#include "sallyport/types/v1/policy.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto documents = sallyport::SplitDocuments(text, "f.yaml");
  if (documents.ok()) {
    for (const sallyport::YamlDocument& document : *documents) {
      sallyport::types::v1::PolicySpec policy;
      static_cast<void>(sallyport::ParseSpec(document, &policy));
    }
  }
  sallyport::types::v1::PolicySpec policy;
  if (sallyport::ParseConfig(text, "f.yaml", &policy).ok()) {
    // What was read can be written and read again, and is the same.
    sallyport::types::v1::PolicySpec again;
    const std::string yaml =
        sallyport::ToYaml(policy, {.keeps_proto_names = true, .omits_zeros = true});
    const bool is_odd = policy.ByteSizeLong() == 0;
    if (!is_odd && !sallyport::ParseConfig(yaml, "again.yaml", &again).ok()) std::abort();
  }
  sallyport::config::v1::ControlPlaneConfig config;
  static_cast<void>(sallyport::ParseConfig(text, "f.yaml", &config));
  return 0;
}
