/** The message of the echo channel: google.protobuf.BytesValue with a mark on answers, so that two echoes do not answer each other for ever. */
import { uvarintLength, writeUvarint, type MessageType } from './codec.ts';
import { FieldCursor } from './wire.ts';

/** `{ 1: bytes payload, 2: bool reply }`. A question has exactly the bytes of a BytesValue. */
export type Echo = Readonly<{ payload: Uint8Array; reply: boolean }>;

const payloadTag = 0x0a;
const replyTag = 0x10;

/** The type of an echo channel. Unknown fields are skipped; the decoded payload shares memory with the message. */
export const echoMessage: MessageType<Echo> = Object.freeze({ encode, decode });

function encode({ payload, reply }: Echo): Uint8Array {
  const { length } = payload;
  const header = length > 0 ? 1 + uvarintLength(length) : 0;
  const encoded = new Uint8Array(header + length + (reply ? 2 : 0));
  if (length > 0) {
    encoded[0] = payloadTag;
    writeUvarint(length, encoded, 1);
    encoded.set(payload, header);
  }
  if (reply) encoded.set([replyTag, 1], header + length);
  return encoded;
}

function decode(bytes: Uint8Array): Echo {
  let payload: Uint8Array = new Uint8Array(0);
  let reply = false;
  const field = new FieldCursor(bytes);
  while (field.next()) {
    if (field.is(1, 2)) payload = field.bytes();
    else if (field.is(2, 0)) reply = field.uint64() !== 0n;
  }
  return { payload, reply };
}
