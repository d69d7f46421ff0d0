package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The parts of the OCI image format, v1.0, that an image without a base needs.
type (
	descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Platform    *platform         `json:"platform,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	platform struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		Variant      string `json:"variant,omitempty"`
	}
	index struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Manifests     []descriptor `json:"manifests"`
	}
	imageManifest struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}
	imageConfig struct {
		platform
		Created time.Time `json:"created"`
		Config  runConfig `json:"config"`
		RootFS  rootFS    `json:"rootfs"`
	}
	runConfig struct {
		User         string              `json:"User"`
		Entrypoint   []string            `json:"Entrypoint"`
		Cmd          []string            `json:"Cmd"`
		WorkingDir   string              `json:"WorkingDir"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Volumes      map[string]struct{} `json:"Volumes"`
		Labels       map[string]string   `json:"Labels"`
	}
	rootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
)

const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
	imageUser    = 65532 // a number nobody has
)

// writeImage writes one OCI archive with an image for each platform.
func writeImage(r *release, made, to string) error {
	a := newArchive(r.time)
	a.file("oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`))
	a.dir("blobs", 0o755, 0)
	a.dir("blobs/sha256", 0o755, 0)
	all := index{SchemaVersion: 2, MediaType: indexType}
	for _, p := range r.programs {
		if p.ociArch == "" {
			continue
		}
		image, err := a.image(r, made, p)
		if err != nil {
			return err
		}
		all.Manifests = append(all.Manifests, image)
	}
	list := a.document(indexType, all)
	list.Annotations = map[string]string{"org.opencontainers.image.ref.name": "sluice:" + r.version.base}
	top, _ := json.Marshal(index{2, indexType, []descriptor{list}}) // of strings and numbers
	a.file("index.json", 0o644, top)
	content, err := a.bytes()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, fmt.Sprintf("sluice_%s_oci.tar", r.version)), content, 0o644)
}

// image adds the image of one platform.
func (a *archive) image(r *release, made string, p program) (descriptor, error) {
	layer, err := layer(r, made, p.path)
	if err != nil {
		return descriptor{}, err
	}
	on := platform{p.ociArch, "linux", p.ociVariant}
	config := a.document(configType, imageConfig{
		platform: on,
		Created:  r.time,
		Config: runConfig{
			User:         fmt.Sprintf("%d:%d", imageUser, imageUser),
			Entrypoint:   []string{"/usr/bin/sluice"},
			Cmd:          []string{"run", "-c", "/etc/sluice/site.yaml", "-state", "/var/lib/sluice"},
			WorkingDir:   "/var/lib/sluice",
			ExposedPorts: map[string]struct{}{"1883/tcp": {}, "8883/tcp": {}},
			Volumes:      map[string]struct{}{"/var/lib/sluice": {}},
			Labels: map[string]string{
				"org.opencontainers.image.title":    "sluice",
				"org.opencontainers.image.version":  r.version.String(),
				"org.opencontainers.image.revision": r.commit,
			},
		},
		RootFS: rootFS{"layers", []string{digest(layer)}},
	})
	image := a.document(manifestType, imageManifest{2, manifestType, config, []descriptor{a.blob(layerType, zipped(layer))}})
	image.Platform = &on
	return image, nil
}

// blob adds content under its digest.
func (a *archive) blob(mediaType string, content []byte) descriptor {
	name := digest(content)
	a.file("blobs/sha256/"+name[len("sha256:"):], 0o644, content)
	return descriptor{MediaType: mediaType, Digest: name, Size: len(content)}
}

func (a *archive) document(mediaType string, v any) descriptor {
	content, _ := json.Marshal(v) // these types have nothing that could fail
	return a.blob(mediaType, content)
}

// layer is the root of a container: the program, whom it runs as, whom it trusts.
func layer(r *release, made, program string) ([]byte, error) {
	a := newArchive(r.time)
	for _, dir := range []string{"etc", "etc/sluice", "etc/ssl", "etc/ssl/certs", "usr", "usr/bin", "usr/share",
		"usr/share/doc", "usr/share/doc/sluice", "var", "var/lib"} {
		a.dir(dir, 0o755, 0)
	}
	a.dir("tmp", 0o1777, 0)
	a.dir("var/lib/sluice", 0o750, imageUser)
	a.file("etc/passwd", 0o644, fmt.Appendf(nil, "root:x:0:0::/:\nsluice:x:%d:%d::/var/lib/sluice:\n", imageUser, imageUser))
	a.file("etc/group", 0o644, fmt.Appendf(nil, "root:x:0:\nsluice:x:%d:\n", imageUser))
	a.file("etc/ssl/certs/ca-certificates.crt", 0o644, authorities())
	if err := a.copy("usr/share/doc/sluice/copyright", 0o644, filepath.Join(made, "copyright")); err != nil {
		return nil, err
	}
	if err := a.copy("usr/bin/sluice", 0o755, program); err != nil {
		return nil, err
	}
	return a.bytes()
}

// authorities are the certificate authorities that Mozilla trusts without conditions,
// which a file could not tell.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
		}
	}
	return out.Bytes()
}
