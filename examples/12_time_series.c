/* 12 - what a series will be next.
 *
 * The series is the load of a made-up power station, hour by hour: a daily wave whose height
 * follows the week, a slow drift, and weather that stays for a while:
 *
 *   y[t] = 10 + 0.3 sin(2 pi t / 2000) + (2 + sin(2 pi t / 168)) sin(2 pi t / 24) + w[t]
 *   w[t] = 0.9 w[t - 1] + 0.7 (chance - 1/2)
 *
 * An LSTM reads 48 hours and tells the next. It is judged on hours that come after all that it
 * learned from, beside two forecasts that cost nothing: the hour before, and the same hour of
 * yesterday. Then it forecasts two days ahead, each hour from its own hours before.
 *
 *   > the network is better than both
 */
#include "example.h"

enum { HOURS = 3000, LEARN = 2400, WINDOW = 48, AHEAD = 48 };

static float series[HOURS];

static void make_series(void) {
  double weather = 0;
  for (int t = 0; t < HOURS; t++) {
    const double turn = 2 * 3.14159265358979 * t, chance = rand() / (RAND_MAX + 1.0);
    weather = 0.9 * weather + 0.7 * (chance - 0.5);
    series[t] =
        (float)(10 + 0.3 * sin(turn / 2000) + (2 + sin(turn / 168)) * sin(turn / 24) + weather);
  }
}

/* Sample i: hours from + i .. from + i + WINDOW - 1, and the hour behind them. */
static glia_dataset *windows(int from, int to) {
  const int64_t n = to - from - WINDOW, x_shape[] = {n, WINDOW}, y_shape[] = {n, 1};
  glia_tensor *x = NULL, *y = NULL;
  glia_dataset *data = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, x_shape, &x));
  OK(glia_tensor_new(GLIA_F32, 2, y_shape, &y));
  for (int64_t i = 0; i < n; i++) {
    memcpy((float *)glia_tensor_data(x) + i * WINDOW, series + from + i, sizeof(float[WINDOW]));
    glia_tensor_set(y, i, series[from + i + WINDOW]);
  }
  OK(glia_dataset_arrays(x, y, 0, &data));
  glia_tensor_free(x);
  glia_tensor_free(y);
  return data;
}

/* The hours [N, 48] around their usual 10 -> [N, 48, 1] -> the state after the last -> [N, 1]
 */
static glia_value network(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_reshape(glia_sub(x, glia_scalar_like(x, 10)), 3, (const int64_t[]){-1, WINDOW, 1});
  x = glia_lstm(s, "lstm", x, .units = 24, .batch_first = true, .last_only = true);
  x = glia_dense(s, "hour", x, .units = 1);
  return glia_add(x, glia_scalar_like(x, 10));
}

static double forecast(glia_learner *learner, const float *hours) {
  const int64_t shape[] = {1, WINDOW};
  glia_tensor *x = NULL, *y = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, shape, &x));
  memcpy(glia_tensor_data(x), hours, sizeof(float[WINDOW]));
  OK(glia_predict(learner, x, &y));
  const double next = glia_tensor_get(y, 0);
  glia_tensor_free(x);
  glia_tensor_free(y);
  return next;
}

int main(void) {
  double off[3] = {0};
  float days[WINDOW + AHEAD];
  make_series();
  glia_dataset *data = windows(0, LEARN);
  const glia_learner_opts options = {.model = network, .data = *glia_dataset_spec(data)};
  glia_loader *batches = NULL;
  glia_learner *learner = NULL;
  OK(glia_loader_new(data, &(glia_loader_opts){.batch = 64, .shuffle = true}, &batches));
  OK(glia_learner_new(&options, &learner));
  OK(glia_fit(learner, batches, NULL, .epochs = 12, .lr = 5e-3));
  for (int t = LEARN; t < HOURS; t++) {
    const double told[] = {series[t - 1], series[t - 24],
                           forecast(learner, series + t - WINDOW)};
    for (int k = 0; k < 3; k++) off[k] += pow(told[k] - series[t], 2) / (HOURS - LEARN);
  }
  printf("off by, in the mean: the hour before %.3f, yesterday %.3f, the network %.3f\n",
         sqrt(off[0]), sqrt(off[1]), sqrt(off[2]));
  CLAIM(off[2] < 0.6 * fmin(off[0], off[1]));
  printf("the network is better than both\n\nhour  forecast  came\n");
  memcpy(days, series + LEARN - WINDOW, sizeof(float[WINDOW]));
  for (int t = 0; t < AHEAD; t++) {
    days[WINDOW + t] = (float)forecast(learner, days + t);
    if (t % 4 == 3) printf("%4d  %8.2f  %5.2f\n", t + 1, days[WINDOW + t], series[LEARN + t]);
  }
  glia_learner_free(learner);
  glia_loader_free(batches);
  glia_dataset_free(data);
}
