// The PLC's database: the in-memory one of @did-plc/server, with a file of all
// operations behind it, one JSON object a line.

import fs from 'node:fs'

import plc from '@did-plc/server'
import { CID } from 'multiformats/cid'

export class OperationLog extends plc.MockDatabase {
  #file
  #last = Promise.resolve()

  // Replays the operations as they were accepted, with their times: PLC lets an
  // operation be nullified for 72 hours, so neither may change by a restart.
  constructor(file) {
    super()
    this.#file = file
    if (!fs.existsSync(file)) {
      return
    }
    const lines = fs.readFileSync(file, 'utf8').split('\n')
    const cutOff = lines.pop() // nothing, or a line that a crash kept from its end
    if (cutOff !== '') {
      fs.truncateSync(file, fs.statSync(file).size - Buffer.byteLength(cutOff))
    }
    for (const [i, line] of lines.entries()) {
      let stored
      try {
        stored = JSON.parse(line)
      } catch {
        throw new Error(`${file}: line ${i + 1} is not a PLC operation`)
      }
      const { did, operation, cid, createdAt, nullified } = stored
      this.contents[did] ??= []
      for (const op of this.contents[did]) {
        op.nullified ||= nullified.includes(op.cid.toString())
      }
      this.contents[did].push({
        did,
        operation,
        cid: CID.parse(cid),
        nullified: false,
        createdAt: new Date(createdAt),
      })
    }
  }

  // One operation at a time: the base class awaits between its check and its
  // change, and the file must have the order of the memory.
  validateAndAddOp(did, proposed) {
    const added = this.#last.then(() => this.#add(did, proposed))
    this.#last = added.catch(() => {})
    return added
  }

  async #add(did, proposed) {
    const before = this.contents[did] ?? []
    const standing = before.filter((op) => !op.nullified)
    await super.validateAndAddOp(did, proposed)
    const op = this.contents[did].at(-1)
    const line = JSON.stringify({
      did,
      operation: op.operation,
      cid: op.cid.toString(),
      createdAt: op.createdAt.toISOString(),
      nullified: standing.filter((op) => op.nullified).map((op) => op.cid.toString()),
    })
    fs.appendFileSync(this.#file, line + '\n')
  }
}
