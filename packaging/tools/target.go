package main

// target is a machine that the program is built for, by the names that kinds of
// packages have for it. A kind that is not made for it has none.
type target struct {
	name                string // of the program: sluice-linux-NAME
	deb, rpm, apk       string
	ipk                 string // an architecture of OpenWrt is a core
	ociArch, ociVariant string
}

// targets are the machines in the order of listings. armhf is ARMv7 for Debian and
// ARMv6 for Raspberry Pi OS; one package has to run on both.
func targets() []target {
	return []target{
		{name: "amd64", deb: "amd64", rpm: "x86_64", apk: "x86_64", ociArch: "amd64"},
		{name: "arm64", deb: "arm64", rpm: "aarch64", apk: "aarch64", ipk: "aarch64_cortex-a53", ociArch: "arm64"},
		{name: "armv7", apk: "armv7", ipk: "arm_cortex-a7_neon-vfpv4", ociArch: "arm", ociVariant: "v7"},
		{name: "armv6", deb: "armhf", apk: "armhf", ociArch: "arm", ociVariant: "v6"},
		{name: "mipsle", ipk: "mipsel_24kc"},
		{name: "riscv64", ociArch: "riscv64"},
		{name: "386"},
	}
}
