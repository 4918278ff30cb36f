package atmosphere_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
)

// A rotation key of higher rank takes back what a lower one did: the operation
// taken back stays in the log, nullified, and has to be so after a restart, with
// the time that decides how long it can be.
func TestReplayKeepsNullifiedOperationsAndTheirTimes(t *testing.T) {
	t.Parallel()
	script, err := atmosphere.Script(t.Context(), "", t.Output())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "--no-warnings", "--input-type=module", "--eval", `
		import fs from 'node:fs'
		import crypto from '@atproto/crypto'
		import plc from '@did-plc/lib'
		import { OperationLog } from './operations.mjs'

		const file = process.argv[1]
		const log = new OperationLog(file)
		const [high, low] = [await crypto.Secp256k1Keypair.create(), await crypto.Secp256k1Keypair.create()]
		const { op: first, did } = await plc.createOp({
			signingKey: low.did(), rotationKeys: [high.did(), low.did()],
			handle: 'alice.test', pds: 'http://localhost:1', signer: low,
		})
		await log.validateAndAddOp(did, first)
		const taken = await plc.updateHandleOp(first, low, 'mallory.test')
		await log.validateAndAddOp(did, taken)
		const fork = await plc.updateHandleOp(first, low, 'second.test')
		await log.validateAndAddOp(did, fork).then(() => console.log('accepted a fork'), () => {})
		const back = await plc.updateHandleOp(first, high, 'alicia.test')
		await log.validateAndAddOp(did, back)

		fs.appendFileSync(file, '{"did":"cut off by a crash')
		const before = JSON.stringify(await log.indexedOpsForDid(did, true))
		const replayed = new OperationLog(file)
		const after = JSON.stringify(await replayed.indexedOpsForDid(did, true))
		console.log(after === before ? 'same' : before + '\n' + after)
		await replayed.validateAndAddOp(did, await plc.updateHandleOp(back, high, 'alice.test'))
		const last = JSON.stringify(await new OperationLog(file).indexedOpsForDid(did, true))
		console.log(JSON.parse(last).map((op) => op.operation.alsoKnownAs + ' ' + op.nullified).join())
	`, filepath.Join(t.TempDir(), "operations.jsonl"))
	cmd.Dir = filepath.Dir(script)
	out, err := cmd.CombinedOutput()
	want := "same\nat://alice.test false,at://mallory.test true,at://alicia.test false,at://alice.test false\n"
	if err != nil || string(out) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, out, want)
	}
}
