/* glia/spectrum.h - sound as frequencies over time: windows, the short-time Fourier transform
 * and its inverse, mel filters. All are differentiable in the signal.
 *
 * Transforms are products with cosines and sines, on the kernels for matrices: n_fft^2
 * multiplications a frame, which for the usual 256 to 2048 is what a matrix kernel does best.
 */
#ifndef GLIA_SPECTRUM_H
#define GLIA_SPECTRUM_H

#include "glia/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum glia_taper {
  GLIA_TAPER_HANN,    /* (1 - cos t) / 2 */
  GLIA_TAPER_HAMMING, /* 0.54 - 0.46 cos t */
  GLIA_TAPER_BLACKMAN /* 0.42 - 0.5 cos t + 0.08 cos 2t */
} glia_taper;
/* A window of n numbers, t = 2 pi i / n; symmetric: 2 pi i / (n - 1). */
GLIA_API glia_value glia_taper_window(glia_graph *g, glia_taper kind, int64_t n, bool symmetric,
                                      glia_dtype dtype);

typedef struct glia_stft_opts {
  size_t size;
  int64_t n_fft;   /* samples of a frame; must be given */
  int64_t hop;     /* samples from frame to frame; 0 -> n_fft / 4 */
  bool no_center;  /* frame i begins at i hop; false: its middle lies there */
  bool zeros;      /* what is seen outside of the signal: zeros; false: it is reflected */
  bool normalized; /* times 1 / sqrt(n_fft) */
  bool two_sided;  /* all n_fft frequencies; false: 0 .. n_fft / 2 */
  int64_t length;  /* of the result of the inverse; 0: what the frames cover */
} glia_stft_opts;

/* x [..., T] -> [..., F, frames, 2], real and imaginary part: sum over n of x[hop i + n] w[n]
 * e^(-2 pi i k n / n_fft), as torch.stft with view_as_real. window [at most n_fft] is centred
 * among zeros; GLIA_NONE: ones. */
GLIA_API glia_value glia_stft_opt(glia_value x, glia_value window, const glia_stft_opts *opt);
/* spectrum [..., F, frames, 2] -> [..., T]: frames put together again, weighted by the window
 * and divided by the sum of its squares (Griffin and Lim 1984); 0 where that is below 1e-11. */
GLIA_API glia_value glia_istft_opt(glia_value spectrum, glia_value window,
                                   const glia_stft_opts *opt);
/* |stft|^power: [..., F, frames]; power 2 is the energy. */
GLIA_API glia_value glia_spectrogram_opt(glia_value x, glia_value window, double power,
                                         const glia_stft_opts *opt);

typedef struct glia_mel_opts {
  size_t size;
  int64_t mels;       /* bands; 0 -> 128 */
  double sample_rate; /* samples a second; must be given */
  double low, high;   /* of the bands, in hertz; high 0 -> sample_rate / 2 */
  bool slaney; /* the scale of Slaney's Auditory Toolbox; false: HTK's, 2595 log10(1 + f /
                  700) */
  bool area;   /* bands divided by their width in hertz */
} glia_mel_opts;
/* Triangles over `bins` frequencies from 0 to sample_rate / 2: [bins, mels], as torchaudio's
 * melscale_fbanks. */
GLIA_API glia_value glia_mel_filters_opt(glia_graph *g, int64_t bins, glia_dtype dtype,
                                         const glia_mel_opts *opt);
/* A spectrogram by bands: x [..., T] -> [..., mels, frames], as torchaudio's MelSpectrogram. */
GLIA_API glia_value glia_mel_spectrogram(glia_value x, glia_value window, double power,
                                         const glia_stft_opts *stft, const glia_mel_opts *mel);

#ifndef __cplusplus /* glia_stft(x, window, .n_fft = 400, .hop = 160) */
#define glia_stft(...) \
  GLIA_NAMED2(glia_stft_opt, glia_stft_opts, __VA_ARGS__, .size = sizeof(glia_stft_opts))
#define glia_istft(...) \
  GLIA_NAMED2(glia_istft_opt, glia_stft_opts, __VA_ARGS__, .size = sizeof(glia_stft_opts))
#define glia_spectrogram(...) \
  GLIA_NAMED3(glia_spectrogram_opt, glia_stft_opts, __VA_ARGS__, .size = sizeof(glia_stft_opts))
#define glia_mel_filters(...) \
  GLIA_NAMED3(glia_mel_filters_opt, glia_mel_opts, __VA_ARGS__, .size = sizeof(glia_mel_opts))
#endif

#ifdef __cplusplus
}
#endif
#endif /* GLIA_SPECTRUM_H */
