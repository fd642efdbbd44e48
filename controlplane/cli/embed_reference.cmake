# Writes OUTPUT: the bytes of INPUT (a FileDescriptorSet with the comments of the proto files) as a C++ array.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "// Made from the proto files by embed_reference.cmake.
#include \"controlplane/cli/reference_descriptors.h\"

namespace sallyport::controlplane {
namespace {
constexpr unsigned char kBytes[] = {
${bytes}
};
}  // namespace

std::span<const unsigned char> ReferenceDescriptors() { return kBytes; }

}  // namespace sallyport::controlplane
")
