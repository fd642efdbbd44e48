#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/notify/webhook.h"
#include "controlplane/store/change_feed.h"
#include "sallyport/config/v1/controlplane_config.pb.h"

namespace sallyport::controlplane {

// controlplane.yaml with everything in it checked and the defaults filled in. What cannot stand
// stops the start here, before anything is opened; `config check` is this and nothing more.
struct Settings {
  // Errors name the file, the key and what to write instead.
  static absl::StatusOr<Settings> Load(const std::string& path);

  // listen, local_listen, data_dir and admin_socket are set, and the paths absolute.
  // `public_address` is empty where join strings name the address as bound.
  config::v1::ControlPlaneConfig config;
  std::vector<std::unique_ptr<Webhook>> webhooks;
  // Of control.db, for those who watch: who is further behind begins anew. No key of the file.
  size_t remembered_changes = ChangeFeed::kRemembered;
};

}  // namespace sallyport::controlplane
