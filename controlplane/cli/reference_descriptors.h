#pragma once

#include <span>

namespace sallyport::controlplane {

// A serialized google.protobuf.FileDescriptorSet of the documents' and the configuration files'
// proto files, with their comments, made by the build.
std::span<const unsigned char> ReferenceDescriptors();

}  // namespace sallyport::controlplane
