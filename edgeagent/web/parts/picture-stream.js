// Stream of pictures: one connection for all cameras of a page, as a browser opens few to one server.
// A record is two lengths (uint32, big endian), JSON, JPEG; one without both only says that the server lives.

const FIRST_MS = 1000;
const LONGEST_MS = 15000;
const SILENT_MS = 10000;
const LONGEST_RECORD = 16e6;

export class PictureStream {
  /**
   * @param {string} address of the stream, without cameras
   * @param {(about: object, jpeg: Uint8Array) => Promise<void>} onPicture called with each picture
   * @param {(text: string) => void} onState called with a sentence when the connection is lost, with "" when it works
   */
  constructor(address, onPicture, onState) {
    this.address = address;
    this.onPicture = onPicture;
    this.onState = onState;
    this.cameras = [];
    this.pause = FIRST_MS;
    this.abort = null;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.start(this.cameras)));
  }

  /** Watch cameras, until the page is hidden or stop is called. */
  start(cameras) {
    this.stop();
    this.cameras = cameras;
    if (!document.hidden && cameras.length) this.run();
  }

  stop() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
  }

  async run() {
    const abort = (this.abort = new AbortController());
    try {
      const query = this.cameras.map((name) => `camera=${encodeURIComponent(name)}`).join("&");
      const answer = await fetch(`${this.address}?${query}`, { signal: abort.signal, redirect: "error" });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error((await answer.text()).trim() || `${answer.status}`);
      await this.read(answer.body.getReader(), abort);
      throw new Error("The connection has ended.");
    } catch (error) {
      if (abort.signal.aborted && abort.signal.reason !== "silent") return;
      abort.abort();
      const why = error instanceof TypeError ? "The device cannot be reached." : error.message;
      this.onState(`${why} Trying again.`);
      this.timer = setTimeout(() => this.start(this.cameras), this.pause);
      this.pause = Math.min(LONGEST_MS, this.pause * 2);
    }
  }

  async read(reader, abort) {
    let buffer = new Uint8Array(0);
    for (;;) {
      const watch = setTimeout(() => abort.abort("silent"), SILENT_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(watch));
      if (done) return;
      const joined = new Uint8Array(buffer.length + value.length);
      joined.set(buffer);
      joined.set(value, buffer.length);
      buffer = joined;
      for (;;) {
        if (buffer.length < 8) break;
        const view = new DataView(buffer.buffer, buffer.byteOffset);
        const [about, jpeg] = [view.getUint32(0), view.getUint32(4)];
        if (about + jpeg > LONGEST_RECORD) throw new Error("The stream cannot be read.");
        if (buffer.length < 8 + about + jpeg) break;
        const record = buffer.subarray(8, 8 + about + jpeg);
        buffer = buffer.subarray(8 + about + jpeg);
        this.pause = FIRST_MS;
        this.onState("");
        if (about) await this.onPicture(JSON.parse(new TextDecoder().decode(record.subarray(0, about))), record.slice(about));
      }
    }
  }
}
