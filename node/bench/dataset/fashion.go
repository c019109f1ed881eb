package dataset

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

const (
	fashionPackage = "dataset-fashion-mnist"
	fashionDir     = "usr/share/datasets/fashion-mnist"
	fashionSize    = 28 * 28
)

// readFashion reads Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017): 60,000 images, and 10,000 as queries.
func readFashion(ctx context.Context, dir string) (base, queries []float32, err error) {
	root := "/"
	if _, err := os.Stat(filepath.Join(root, fashionDir)); err != nil {
		if root, err = fetchDebian(ctx, dir, fashionPackage); err != nil {
			return nil, nil, err
		}
	}
	at := filepath.Join(root, fashionDir)
	if base, err = readImages(filepath.Join(at, "train-images-idx3-ubyte.gz")); err != nil {
		return nil, nil, err
	}
	queries, err = readImages(filepath.Join(at, "t10k-images-idx3-ubyte.gz"))
	return base, queries, err
}

// fetchDebian unpacks a Debian package below dir, without installing it.
func fetchDebian(ctx context.Context, dir, name string) (root string, err error) {
	root = filepath.Join(dir, name)
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	if out, err := command(ctx, dir, "apt-get", "download", name); err != nil {
		return "", fault.Wrap(fault.Unavailable, err,
			"get the Debian package %s (install it: apt-get install %s): apt-get says %.300s", name, name, out)
	}
	debs, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	if err != nil || len(debs) == 0 {
		return "", fault.New(fault.Unavailable, "apt-get download %s left no file", name)
	}
	if out, err := command(ctx, dir, "dpkg-deb", "-x", filepath.Base(debs[0]), name+".tmp"); err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "unpack %s: %.300s", debs[0], out)
	}
	return root, fault.Wrap(fault.Internal, os.Rename(root+".tmp", root), "unpack %s", name)
}

func command(ctx context.Context, dir, name string, args ...string) (output []byte, err error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	return c.CombinedOutput()
}

// readImages reads a file of images in the IDX format: two bytes 0, type 8, 3 dimensions, the dimensions as big-endian
// words, the bytes.
func readImages(name string) ([]float32, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "read images")
	}
	defer func() { _ = f.Close() }() // it was only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "read %s", name)
	}
	b, err := io.ReadAll(io.LimitReader(z, 1<<30))
	if err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "read %s", name)
	}
	if len(b) < 16 || binary.BigEndian.Uint32(b) != 0x803 || len(b) != 16+fashionSize*int(binary.BigEndian.Uint32(b[4:])) {
		return nil, fault.New(fault.Corrupt, "%s does not hold images of %d bytes", name, fashionSize)
	}
	all := make([]float32, len(b)-16)
	for i, x := range b[16:] {
		all[i] = float32(x)
	}
	return all, nil
}
