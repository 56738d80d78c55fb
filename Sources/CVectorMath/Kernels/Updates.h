static void vectorized_approach(float *restrict average, const float *restrict values, float weight, size_t count) {
    for (size_t i = 0; i < count; i++) { average[i] += weight * (values[i] - average[i]); }
}

static double vectorized_descend(
    float *restrict weights, const float *restrict gradient_sum, float scale, float learning_rate,
    float weight_decay, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    float decay = learning_rate * weight_decay;
    float rate = learning_rate * scale;
    float squares_scale = scale * scale;
    for (size_t start = 0; start < count; start += block_length) {
        size_t end = block_end(start, count);
        float squares = 0;
        for (size_t i = start; i < end; i++) {
            float sum = gradient_sum[i];
            squares += sum * sum;
            weights[i] -= rate * sum + decay * weights[i];
        }
        total += (double)squares_scale * squares;
    }
    return total;
}

static double vectorized_descend_with_momentum(
    float *restrict weights, float *restrict velocity, const float *restrict gradient_sum, float scale,
    float learning_rate, float weight_decay, float beta, int nesterov, size_t count) {
#pragma clang fp reassociate(on)
    double total = 0;
    // The heavy ball goes along the velocity alone, Nesterov's along the new gradient and beta times the velocity.
    float along_gradient = nesterov ? 1 : 0, along_velocity = nesterov ? beta : 1;
    for (size_t start = 0; start < count; start += block_length) {
        size_t end = block_end(start, count);
        float squares = 0;
        for (size_t i = start; i < end; i++) {
            float gradient = scale * gradient_sum[i];
            squares += gradient * gradient;
            gradient += weight_decay * weights[i];
            velocity[i] = beta * velocity[i] + gradient;
            weights[i] -= learning_rate * (along_gradient * gradient + along_velocity * velocity[i]);
        }
        total += squares;
    }
    return total;
}

static void vectorized_follow_velocity(
    float *restrict weights, float *restrict velocity, float learning_rate, float weight_decay, size_t count) {
    for (size_t i = 0; i < count; i++) {
        velocity[i] += weight_decay * weights[i];
        weights[i] -= learning_rate * velocity[i];
    }
}

static double vectorized_descend_by_adam(
    float *restrict weights, float *restrict first_moment, float *restrict second_moment,
    const float *restrict gradient_sum, float scale, const cvm_adam *constants, size_t count) {
#pragma clang fp reassociate(on)
    const cvm_adam c = *constants;
    double total = 0;
    for (size_t start = 0; start < count; start += block_length) {
        size_t end = block_end(start, count);
        float squares = 0;
        for (size_t i = start; i < end; i++) {
            float gradient = scale * gradient_sum[i];
            squares += gradient * gradient;
            gradient += c.added_decay * weights[i];
            first_moment[i] = c.first_decay * first_moment[i] + (1 - c.first_decay) * gradient;
            second_moment[i] = c.second_decay * second_moment[i] + (1 - c.second_decay) * gradient * gradient;
            float deviation = sqrtf(second_moment[i] * c.second_correction) + c.epsilon;
            weights[i] = c.kept * weights[i] - c.rate * first_moment[i] / deviation;
        }
        total += squares;
    }
    return total;
}
