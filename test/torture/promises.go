// SPDX-License-Identifier: MPL-2.0

package main

// promises are all promises, in the order in which they run.
var promises = []Promise{
	{"publish-gofakes3", promisePublishFake},
	{"publish-race", promiseRace},
	{"publish-versitygw", promisePublishGateway},
	{"publish-folder", promisePublishFolder},
	{"server-dies", promiseServerDies},
	{"faults", promiseFaults},
	{"contention", promiseContention},
	{"no-hang", promiseNoHang},
	{"liars", promiseLiars},
	{"death", promiseDeath},
	{"packer-concurrent", promisePackerConcurrent},
	{"interrupt", promiseInterrupt},
	{"survive", promiseSurvive},
	{"ec2", promiseEC2},
	{"permissions", promisePermissions},
	{"hostile", promiseHostile},
	{"fuzz-documents", promiseFuzzDocuments},
	{"fuzz-texts", promiseFuzzTexts},
	{"secrets", promiseSecrets},
}

// children are what a process of this program does that another one started; see [Run.Child].
var children = map[string]func(args []string) error{
	folderChild: writeFolder,
	mortalChild: liveAndDie,
}
