package cli

import (
	"maps"
	"slices"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/lint"
)

// otherCodes are those of findings that config does not make.
var otherCodes = map[string]string{
	"IB0501": "a model does not take what is asked, or a flag of a plan names nothing",
	"IB0502": "there is no *.img.hcl file in the folder",
	"IB0503": "a source, mask or font is missing, is no picture, or does not fit",
	"IB0504": "warning: a model has ended or ends within 60 days",
	"IB0505": "a plan would replace or delete a protected image",
	"IB0506": "an image would cost more than its max_cost",
	"IB0507": "nothing here can write a file: an encoder is missing",
	"IB0508": "the crop of a rendition leaves its picture",
	"IB0509": "an image of a test could not be made",
	"IB0510": "the file of an import can't be taken, or (warning) is not taken",
	"IB0511": "a file of exact size would be larger than its picture",
	"IB0512": "a text can't be written on a card: it is too long, or its font can't be used or lacks a letter",
	"IB0513": "something else is in the place of a manifest",
	"IB0514": "a file would have more pixels than are allowed, or take more memory to make",
	"IB0515": "the configuration of an earlier commit has errors",
	"IB0601": "the lockfile is damaged or of another version",
	"IB0602": "the lockfile has conflict markers of git",
	"IB0603": "the lockfile is no file",
	"IB0604": "two branches changed one image in the lockfile, and nothing says which counts",
	"IB0605": "the conflict markers in the lockfile do not leave two lockfiles",
	"IB0606": "the lockfile does not agree with itself, with the store or with the configuration",
	"IB0607": "the original of a picture is on no tier of the store",
	"IB0608": "a file is not what the lockfile records",
	"IB0701": "a picture in the store is damaged",
	"IB0702": "what was bought for a request can't be read, or is not recorded",
	"IB0703": "the journal is damaged, or was mended",
	"IB0704": "a request is in doubt, under way, or paid for and not fetched",
	"IB0705": "something lies among the files of imgbuild that is no use",
	"IB0706": "the disk, the system or another imgbuild stands in the way",
	"IB0707": "the lockfile is missing, and the store knows of purchases",
	"IB2107": "a picture is not approved, or another one was",
}

// meaning is a code of a finding in a line.
func meaning(code string) string {
	if text, ok := config.Codes[code]; ok {
		return text
	}
	if rule := lint.Lookup(code); rule != nil {
		return rule.Title
	}
	if text, ok := lint.OwnCodes[code]; ok {
		return text
	}
	return otherCodes[code]
}

func codes() []string {
	all := maps.Clone(config.Codes)
	maps.Copy(all, otherCodes)
	maps.Copy(all, lint.OwnCodes)
	for i := range lint.Rules {
		all[lint.Rules[i].Code] = ""
	}
	return slices.Sorted(maps.Keys(all))
}
