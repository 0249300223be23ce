// QR codes of two receipts, and pictures and films of them. The codes were made once: nothing here could make others.
import { deflateSync, crc32 } from "node:zlib";

/** What a code says, and its modules line by line: 1 is dark. */
export type Code = { text: string; rows: string[] };

const SIDE = 37;
const code = (text: string, hex: string): Code => ({
  text,
  rows: hex.split(" ").map((row) => BigInt(`0x${row}`).toString(2).padStart(SIDE, "0")),
});

/** For the camera. */
export const FILMED = code(
  "t=20261127T1200&s=350.00&fn=9960440300112233&i=4101&fp=1000000001&n=1",
  "1fdf337a7f 104af2d041 174bc8d35d 1752110f5d 1758d9ba5d 10506b5c41 1fd555557f 001c01a300 117a9395f9 0fa7466a3a " +
    "10cb2a2baa 0088bbd7c4 1e4adcc546 1c17213ab0 11d038e32a 13005ca3cd 024dc615cd 0fa3d3b236 1b4e113606 0e8f4ce74e " +
    "14537e85cf 108a297af2 086de4e32e 0a9333d1cd 0258d325cd 123446babe 04c3aaaa24 05997ba68c 1afa5c97ff 0010a1fb12 " +
    "1fdca9215a 104cfc631f 175d4445fd 1742d3ba49 174cd9e74c 104708a49e 1fd37e845f",
);

/** For a photo. */
export const PHOTOGRAPHED = code(
  "t=20261127T1200&s=350.00&fn=9960440300112233&i=4102&fp=1000000002&n=1",
  "1fdd737a7f 104af2d041 174af8d35d 1750110f5d 1758d9ba5d 1058ab5c41 1fd555557f 001081a300 1172d395f9 0f87466a3a " +
    "14eb2a2b9a 0099bbd7c4 1e48dcc546 0d1f213ab0 005c78e32a 03005ca3cd 0bcc0615cd 0700d3b236 1b5e112606 0cad4cc74e " +
    "10517e85cf 108aa97af2 00e164e32e 1b1773d1cd 03589325cd 163406babe 06c1aaaa24 019b7ba68c 1afa5c97ff 0010a1fb12 " +
    "1fd469215a 104c3c631f 175c4445fd 174493ba49 174fd9e74c 104608a49e 1fd37e845f",
);

/** How dark it is at a place of a sheet of so many pixels with the code in its middle, 0 to 255. */
const at = ({ rows }: Code, module: number, width: number, height: number) => (x: number, y: number) => {
  const place = (n: number, size: number) => Math.floor((n - (size - SIDE * module) / 2) / module);
  return rows[place(y, height)]?.[place(x, width)] === "1" ? 20 : 235;
};

/** A photo of it (PNG, 8 bits of grey). */
export function photo(code: Code): Buffer {
  const side = 400;
  const grey = at(code, 8, side, side);
  const lines = Buffer.alloc(side * (side + 1));
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) lines[y * (side + 1) + 1 + x] = grey(x, y);
  const chunk = (kind: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head[8] = 8;
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", deflateSync(lines)), chunk("IEND", Buffer.alloc(0))]);
}

/** A film of it, or of nothing (YUV4MPEG2, as Chromium's made-up camera plays it). */
export function film(code?: Code): Buffer {
  const [width, height, frames] = [640, 480, 4];
  const grey = code ? at(code, 10, width, height) : () => 128;
  const picture = Buffer.alloc((width * height * 3) / 2, 128);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) picture[y * width + x] = grey(x, y);
  const all = [Buffer.from(`YUV4MPEG2 W${width} H${height} F15:1 Ip A1:1 C420jpeg\n`)];
  for (let n = 0; n < frames; n++) all.push(Buffer.from("FRAME\n"), picture);
  return Buffer.concat(all);
}
