// Makes calls to an AppView as a client does, through its PDS, and says what came
// back and what is wrong with it.
//
// stdin:  {"pds", "identifier", "password", "lexicons": folder,
//          "calls": [{"proxy", "method", "params"}]}
// stdout: [{"status", "error", "message", "body", "violations": []}], in that order

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { AtpAgent } from '@atproto/api'
import { Lexicons, parseLexiconDoc } from '@atproto/lexicon'
import { XRPCError } from '@atproto/xrpc'

const patience = 20_000 // milliseconds for one call

const job = JSON.parse(await text(process.stdin))

const documents = ['com', 'fund'].flatMap((folder) =>
  readdirSync(join(job.lexicons, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => parseLexiconDoc(JSON.parse(readFileSync(join(entry.parentPath, entry.name), 'utf8')))),
)
const lexicons = new Lexicons(documents)

const agent = new AtpAgent({ service: job.pds })
for (const document of documents.filter(({ id }) => !agent.lex.get(id))) {
  agent.lex.add(document)
}
await agent.login({ identifier: job.identifier, password: job.password })

// What the official client makes of the call. It validates answers by itself, and
// then throws them away: the body is taken back from its error.
const send = async ({ proxy, method, params }) => {
  agent.configureProxy(proxy)
  try {
    const { data } = await agent.call(method, params, undefined, { signal: AbortSignal.timeout(patience) })
    return { status: 200, body: data }
  } catch (err) {
    if (!(err instanceof XRPCError)) {
      throw err
    }
    return { status: err.responseBody ? 200 : err.status, error: err.error, message: err.message, body: err.responseBody }
  }
}

const violation = (check) => {
  try {
    check()
    return []
  } catch (err) {
    return [err.message]
  }
}

const answers = []
for (const call of job.calls) {
  const answer = await send(call)
  const violations =
    answer.status === 200 ? violation(() => lexicons.assertValidXrpcOutput(call.method, answer.body)) : []
  if (answer.status === 200 && answer.error) {
    violations.push(`the client refuses the answer: ${answer.message}`)
  }
  answers.push({ ...answer, violations })
}
process.stdout.write(JSON.stringify(answers))
