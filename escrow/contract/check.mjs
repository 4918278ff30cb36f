// Says what is wrong with answers, by the reference implementation.
//
// stdin:  {"lexicons": folder, "answers": [{"method", "input", "body"}]}, where the
//         input of a query is left out, and so is the body of an error
// stdout: [[violation]], in that order

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { Lexicons, parseLexiconDoc } from '@atproto/lexicon'

const job = JSON.parse(await text(process.stdin))

const lexicons = new Lexicons(
  ['com', 'fund'].flatMap((folder) =>
    readdirSync(join(job.lexicons, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
      .map((entry) => parseLexiconDoc(JSON.parse(readFileSync(join(entry.parentPath, entry.name), 'utf8')))),
  ),
)

const violation = (check) => {
  try {
    check()
    return []
  } catch (err) {
    return [err.message]
  }
}

process.stdout.write(
  JSON.stringify(
    job.answers.map(({ method, input, body }) => [
      ...(input && body ? violation(() => lexicons.assertValidXrpcInput(method, input)) : []),
      ...(body ? violation(() => lexicons.assertValidXrpcOutput(method, body)) : []),
    ]),
  ),
)
