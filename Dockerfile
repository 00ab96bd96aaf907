# Proofline in a container: `docker build -t proofline .`, then see
# deploy/compose.yaml, or for everything in one container
#   docker run -p 127.0.0.1:8780:8780 -v proofline:/data -e PROOFLINE_PUBLIC_URL=http://localhost:8780 proofline
# The build stage is what `make build` does on any Debian 12;
# the second stage holds the binary, the libraries that it links, and the models,
# so that the container fetches nothing when it starts.
FROM debian:bookworm-slim AS build
COPY . /src
WORKDIR /src
RUN make build && dist/proofline models fetch --dir /models

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
      ca-certificates tesseract-ocr-eng tesseract-ocr-script-latn libtesseract5 liblept5 libzxing2 libheif1 \
      libopencv-core406 libopencv-imgproc406 libopencv-imgcodecs406 libopencv-dnn406 \
      libopencv-objdetect406 libopencv-calib3d406 libopencv-features2d406 libopencv-photo406 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin proofline \
    && install -d -o 10001 -g 10001 -m 700 /data /keys
COPY --from=build /src/dist/proofline /usr/local/bin/proofline
COPY --from=build /models /models
COPY LICENSE /usr/share/doc/proofline/
USER 10001:10001
ENV PROOFLINE_DATA_DIR=/data PROOFLINE_MODELS_DIR=/models OMP_THREAD_LIMIT=1
VOLUME /data
EXPOSE 8780
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s \
  CMD ["proofline", "health"]
ENTRYPOINT ["proofline"]
CMD ["up", "--listen", "0.0.0.0:8780"]
